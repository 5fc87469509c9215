import { afterEach, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { describePostgres } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { failureOf } from '../support/failure-of.js';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { hearing, itCancelsFromElsewhere, twoApps } from './cancels-from-elsewhere.js';
import { keepNotifications } from './keep-notifications.js';

/** The poll finds nothing in the time of a test: what is heard is heard by the bus. */
const BUS_ONLY = { cancelPoll: '1h' } as const;

describePostgres('a cancel from another process, by LISTEN and NOTIFY,', (database) => {
  itCancelsFromElsewhere(database, () => BUS_ONLY);
});

describePostgres('LISTEN and NOTIFY', (database) => {
  const proxies: TcpProxy[] = [];
  afterEach(async () => {
    await closeApps();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });

  /** Ends every connection to the database of an app but the one that asks. */
  const terminate = ({ dataSource }: TrackedApp) =>
    dataSource.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );

  async function behindProxy(how?: Parameters<typeof tcpProxy>[1]) {
    const { options } = await database.create(import.meta.url);
    const direct = options as DataSourceOptions & { host: string; port: number };
    const proxy = await tcpProxy(direct, how);
    proxies.push(proxy);
    return { options, proxy, proxied: { ...direct, host: '127.0.0.1', port: proxy.port } as DataSourceOptions };
  }

  it('tells a waiter of an end in another process', async () => {
    const { owner, other } = await twoApps(database, BUS_ONLY);
    const end = deferred<string>();
    const work = owner.activities.run({ type: 'long', keepResult: true }, () => end.promise);
    const { id } = await owner.probe.started('long');
    const begun = performance.now();
    const waits = [other.activities.waitFor(id), owner.activities.waitFor(id)];
    // Its wish is known when the owner has heard what was said after it.
    const probe = failureOf(owner.activities.run({ type: 'probe' }, ({ sleep }) => sleep(60_000)));
    await other.activities.cancel((await owner.probe.started('probe')).id);
    await probe;
    end.resolve('done');
    for (const wait of waits) expect(await wait).toMatchObject({ id, status: 'succeeded', result: 'done' });
    expect(performance.now() - begun).toBeLessThan(950);
    await work;
  });

  it('[C88] is back after every connection was ended, and what was asked meanwhile is heard', async () => {
    const { owner, other } = await twoApps(database, BUS_ONLY);
    const work = failureOf(owner.activities.run({ type: 'long' }, ({ sleep }) => sleep(60_000)));
    const { id } = await owner.probe.started('long');
    await terminate(other);
    await eventually(
      async () => owner.activities.stats().bus?.isConnected,
      (isConnected) => !isConnected,
    );
    await other.activities.cancel(id, { by: 'ada' });
    expect(await work).toMatchObject({ abortReason: 'user', by: { id: 'ada' } });
    await Promise.all([owner, other].map(hearing));
    const next = failureOf(owner.activities.run({ type: 'next' }, ({ sleep }) => sleep(60_000)));
    await other.activities.cancel((await owner.probe.started('next')).id);
    expect(await next).toMatchObject({ abortReason: 'user' });
  });

  it('[C88] while connections are ended during writes, no line is lost', async () => {
    const { owner, other } = await twoApps(database, BUS_ONLY);
    const lines = 2_000;
    const work = owner.activities.run({ type: 'loud' }, async (activity) => {
      for (let line = 1; line <= lines; line++) {
        activity.log.info(`line ${line}`);
        if (line % 500 === 250) await terminate(other);
        if (line % 100 === 0) await activity.flushed();
      }
    });
    await work;
    const { id } = await owner.probe.settled('loud');
    const row = await other.probe.row(id);
    expect(row).toMatchObject({ status: 'succeeded', messageCount: lines });
    expect(await other.probe.lines(id)).toHaveLength(1_000);
    await Promise.all([owner, other].map(hearing));
  });

  it('[C89] says ids only, however long the texts of the activity are', async () => {
    const { owner, other } = await twoApps(database, BUS_ONLY);
    const { options } = other.dataSource as unknown as { options: Record<string, unknown> };
    const client = new pg.Client({ ...options, user: options.username } as pg.ClientConfig);
    await client.connect();
    const payloads: string[] = [];
    client.on('notification', ({ payload }) => payloads.push(payload!));
    const [{ channel }] = await other.dataSource.query<[{ channel: string }]>(
      `SELECT substring(query from '"(nestjs_activity_[0-9a-f]+)"') AS channel FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN "nestjs_activity%'`,
    );
    await client.query(`LISTEN "${channel}"`);
    const big = '日'.repeat(3_000);
    const works = Array.from({ length: 300 }, (_, n) =>
      failureOf(
        owner.activities.run({ type: 'big', title: big, metadata: { big: big.repeat(3) } }, async (activity) => {
          activity.log.info(`${n} ${big}`);
          await activity.sleep(60_000);
        }),
      ),
    );
    await owner.probe.times('started', works.length);
    const rows = await other.probe.rows();
    const { nextCursor } = await other.activities.list({ limit: 200 });
    const rest = (await other.activities.list({ limit: 200, cursor: nextCursor! })).items;
    await Promise.all([...rows, ...rest].map(({ id }) => other.activities.cancel(id, { reason: big.slice(0, 2_000) })));
    expect(await Promise.all(works)).toHaveLength(300);
    await client.end();
    expect(payloads.length).toBeGreaterThan(0);
    for (const payload of payloads) {
      expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
      expect(payload).not.toContain('日');
    }
  });

  it('of a pooler that keeps notifications to itself is told in one warning, and cancels are polled', async () => {
    const { options, proxied } = await behindProxy(keepNotifications);
    const owner = await trackedApp({}, { database: proxied, activity: { cancelPoll: 100 } });
    const other = await trackedApp({}, { database: options });
    await hearing(other);
    const work = failureOf(owner.activities.run({ type: 'long' }, ({ sleep }) => sleep(60_000)));
    await other.activities.cancel((await owner.probe.started('long')).id, { by: 'ada' });
    expect(await work).toMatchObject({ abortReason: 'user', by: { id: 'ada' } });
    expect(owner.activities.stats().bus).toEqual({ isConnected: false });
    const warnings = await eventually(
      async () => other.log.warnings('PostgreSQL notifications'),
      ({ length }) => length > 0,
    );
    expect(warnings).toEqual([expect.stringMatching(/pooler in transaction mode .* by a poll each 100 ms/)]);
  }, 60_000);
});
