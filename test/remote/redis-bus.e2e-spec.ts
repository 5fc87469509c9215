import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { redisBus } from 'nestjs-activity/redis';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { failureOf } from '../support/failure-of.js';
import { describeWithServer } from '../support/servers.js';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { closeApps, databaseFile, trackedApp } from '../support/tracked-app.js';
import { hearing, itCancelsFromElsewhere, untilStopped } from './cancels-from-elsewhere.js';

/** Its own channel for each run: other runs may use the same server. */
const prefix = `nestjs-activity-test:${process.pid}`;

describeWithServer('REDIS', 'the bus on Redis', (url) => {
  const proxies: TcpProxy[] = [];
  afterEach(async () => {
    await closeApps();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });

  describeEachDatabase('a cancel from another process', (database) => {
    itCancelsFromElsewhere(database, () => ({ cancelPoll: '1h', bus: redisBus({ url, prefix }) }));
  });

  /** Two applications on one file, whose way to Redis can be cut. */
  async function cuttable() {
    const { hostname, port } = new URL(url);
    const proxy = await tcpProxy({ host: hostname, port: Number(port || 6379) });
    proxies.push(proxy);
    const proxied = new URL(url);
    proxied.hostname = '127.0.0.1';
    proxied.port = String(proxy.port);
    const database = { type: 'better-sqlite3', database: databaseFile() } as const;
    const activity = { cancelPoll: '1h', bus: redisBus({ url: proxied.href, prefix }) } as const;
    const owner = await trackedApp({}, { database, activity });
    const other = await trackedApp({}, { database, activity });
    return { owner, other, proxy };
  }

  it('comes back after an outage, and what was asked meanwhile is heard', async () => {
    const { owner, other, proxy } = await cuttable();
    await Promise.all([owner, other].map(hearing));
    const work = failureOf(owner.activities.run({ type: 'long' }, untilStopped));
    const { id } = await owner.probe.started('long');
    proxy.cut();
    await eventually(
      async () => owner.activities.stats().bus?.isConnected,
      (isConnected) => !isConnected,
    );
    expect(await other.activities.cancel(id, { by: 'ada' })).toMatchObject({ outcome: 'requested' });
    expect(await other.activities.run({ type: 'works' }, () => 'value')).toBe('value');
    proxy.accept();
    expect(await work).toMatchObject({ abortReason: 'user', by: { id: 'ada' } });
    await Promise.all([owner, other].map(hearing));
    const next = failureOf(owner.activities.run({ type: 'next' }, untilStopped));
    await other.activities.cancel((await owner.probe.started('next')).id);
    expect(await next).toMatchObject({ abortReason: 'user' });
  });

  it('tells a waiter of an end in another process', async () => {
    const { owner, other } = await cuttable();
    await Promise.all([owner, other].map(hearing));
    const end = deferred<string>();
    const work = owner.activities.run({ type: 'long', keepResult: true }, () => end.promise);
    const wait = other.activities.waitFor((await owner.probe.started('long')).id);
    end.resolve('done');
    expect(await wait).toMatchObject({ status: 'succeeded', result: 'done' });
    await work;
  });

  it('takes connections that the app makes, and closes them', async () => {
    const made: Redis[] = [];
    const client = (): Redis => {
      const connection = new Redis(url, { lazyConnect: made.length % 2 === 0 });
      made.push(connection);
      return connection;
    };
    const { activities, app } = await trackedApp({}, { activity: { bus: redisBus({ client, prefix }) } });
    await hearing({ activities });
    expect(made).toHaveLength(2);
    await app.close();
    expect(made.map(({ status }) => status)).toEqual(['end', 'end']);
  });
});

describe('the bus on a Redis that is not there', () => {
  afterEach(closeApps);

  it('is told in one warning, and neither the start nor a call waits for it', async () => {
    const bus = redisBus({ url: 'redis://127.0.0.1:1' });
    const { activities, log } = await trackedApp({}, { activity: { bus } });
    expect(await activities.run({ type: 'works' }, () => 'value')).toBe('value');
    expect(activities.stats().bus).toEqual({ isConnected: false });
    const warnings = await eventually(
      async () => log.warnings('Redis'),
      ({ length }) => length > 0,
    );
    expect(warnings).toEqual([expect.stringMatching(/ECONNREFUSED.* by a poll each 1000 ms/)]);
  });

  it.each([
    [{ url: 'http://127.0.0.1' }, '`url` must begin with redis://'],
    [{ prefix: '' }, '`prefix` must be 1 to 128'],
    [{ client: () => new Redis({ lazyConnect: true }), url: 'redis://x' }, 'leave `url` and `options` out'],
  ])('refuses %j', (options, problem) => {
    expect(() => redisBus(options)).toThrow(problem);
  });
});
