import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ActivityModuleOptions } from 'nestjs-activity';
import { redisBus } from 'nestjs-activity/redis';
import { describeEachDatabase, describePostgres, type DatabaseUnderTest } from '../support/databases.js';
import { describeWithServer } from '../support/servers.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { hearing } from './cancels-from-elsewhere.js';
import { closeOwners, OwnerProcess } from './processes/owner-process.js';

/** The poll finds nothing in the time of a test: what is heard is heard by the bus. */
const BUS_ONLY = { cancelPoll: '1h' } as const;
/** What a poll of a second and its statement may take on a busy machine. */
const BY_POLL_MS = 2_000;
const BY_BUS_MS = 1_000;
/** The limits and keys of a test are its own. */
let keys = 0;
const by = { id: 'ada', name: 'Ada' };

interface Way {
  activity: ActivityModuleOptions;
  redis?: string;
  withinMs: number;
}

interface TwoProcesses {
  here: TrackedApp;
  owner: OwnerProcess;
}

async function close(): Promise<void> {
  await closeApps();
  await closeOwners();
}

/** This process, and another one that runs activities, on the same database. */
async function twoProcesses(
  database: DatabaseUnderTest,
  { activity: given, redis }: Omit<Way, 'withinMs'>,
): Promise<TwoProcesses> {
  const { options } = await database.create(import.meta.url);
  const activity = { shutdownGrace: 50, ...given };
  const bus = redis === undefined ? {} : { bus: redisBus({ url: redis }) };
  const here = await trackedApp({}, { database: options, activity: { ...activity, ...bus } });
  const owner = new OwnerProcess({ options, activity, ...(redis === undefined ? {} : { redis }) });
  await Promise.all([owner.connected(), hearing(here)]);
  return { here, owner };
}

/** Milliseconds from now until the other process has stopped the activity. */
async function cancelAndMeasure(
  { activities }: TrackedApp,
  owner: OwnerProcess,
  { id, ...options }: { id: string; force?: boolean },
) {
  const askedAt = process.hrtime.bigint();
  const receipt = await activities.cancel(id, { by, reason: 'wrong tag', ...options });
  const { at, ...word } = await owner.stopped(id);
  return { receipt, word, tookMs: Number(BigInt(at) - askedAt) / 1e6 };
}

function itReachesTheOther(database: DatabaseUnderTest, way: Way): void {
  let here: TrackedApp;
  let owner: OwnerProcess;
  beforeAll(async () => ({ here, owner } = await twoProcesses(database, way)));
  afterAll(close);

  it('[F11] [F57] cancels work of the other, soon, with who and why', async () => {
    const id = await owner.run({ type: 'cancelled' });
    const { receipt, word, tookMs } = await cancelAndMeasure(here, owner, { id });
    expect(receipt.outcome).toBe('requested');
    expect(word).toMatchObject({ abortReason: 'user', by, userReason: 'wrong tag' });
    expect(tookMs).toBeLessThan(way.withinMs);
    expect(await here.activities.waitFor(id)).toMatchObject({
      status: 'cancelled',
      reason: 'user',
      cancel: { by, reason: 'wrong tag' },
    });
    await expect(here.activities.cancel(id)).rejects.toMatchObject({ code: 'ACTIVITY_ALREADY_SETTLED' });
  });

  it('[F11] ends what waits there, and by force what does not obey', async () => {
    const limit = { key: `limit ${keys++}`, max: 1 };
    const deaf = await owner.run({ type: 'deaf', limit }, { isDeaf: true });
    const waiting = await owner.run({ type: 'waiting', limit }, { kind: 'queued' });
    const queued = await cancelAndMeasure(here, owner, { id: waiting });
    expect(queued.receipt).toMatchObject({ outcome: 'cancelled', activity: { startedAt: null } });
    expect(queued.word).toMatchObject({ abortReason: 'user', by });
    expect(queued.tookMs).toBeLessThan(way.withinMs);
    const forced = await cancelAndMeasure(here, owner, { id: deaf, force: true });
    expect(forced.receipt).toMatchObject({ outcome: 'forced', activity: { status: 'cancelled', reason: 'forced' } });
    expect(forced.word).toMatchObject({ abortReason: 'forced', by });
    expect(forced.tookMs).toBeLessThan(way.withinMs);
    owner.end(deaf, 'at last');
    await owner.run({ type: 'next', limit });
    expect(await here.activities.get(deaf)).toEqual(forced.receipt.activity);
  });

  it('hears the end of what the other runs, with its result, by waiting or by joining', async () => {
    const exclusive = { key: `key ${keys++}`, onConflict: 'join' } as const;
    const id = await owner.run({ type: 'long', exclusive });
    const waits = [here.activities.waitFor(id), here.activities.run({ type: 'long', exclusive }, () => 'not run')];
    const queue = { ...exclusive, onConflict: 'queue' } as const;
    const turn = here.activities.run({ type: 'turn', exclusive: queue }, () => 'ran');
    await here.probe.queued('turn');
    owner.end(id, 'its value');
    expect(await waits[0]).toMatchObject({ id, status: 'succeeded', result: 'its value' });
    expect(await waits[1]).toBe('its value');
    expect(await turn).toBe('ran');
  });

  it('supersedes what the other runs', async () => {
    const exclusive = { key: `key ${keys++}`, onConflict: 'supersede' } as const;
    const id = await owner.run({ type: 'old', exclusive });
    expect(await here.activities.run({ type: 'new', exclusive, actor: by }, () => 'ran')).toBe('ran');
    expect(await owner.stopped(id)).toMatchObject({ abortReason: 'superseded', by });
    expect(await here.activities.get(id)).toMatchObject({ status: 'cancelled', reason: 'superseded' });
  });
}

describeEachDatabase('a process without a bus', (database) => {
  itReachesTheOther(database, { activity: { bus: 'off' }, withinMs: BY_POLL_MS });
});

describePostgres('a process that listens', (database) => {
  itReachesTheOther(database, { activity: BUS_ONLY, withinMs: BY_BUS_MS });
});

describePostgres('a process that listens, when its connections end,', (database) => {
  afterAll(close);

  it('[C88] lives through the end of all its connections, comes back, and knows what was asked meanwhile', async () => {
    const { here, owner } = await twoProcesses(database, { activity: BUS_ONLY });
    const ids = [await owner.run({ type: 'one' }), await owner.run({ type: 'two' })];
    await here.dataSource.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const first = await cancelAndMeasure(here, owner, { id: ids[0]! });
    expect(first.word).toMatchObject({ abortReason: 'user', by });
    await owner.connected(2);
    expect(owner.isAlive).toBe(true);
    const second = await cancelAndMeasure(here, owner, { id: ids[1]! });
    expect(second.tookMs).toBeLessThan(BY_BUS_MS);
    expect(await here.activities.waitFor(ids[1]!)).toMatchObject({ status: 'cancelled' });
  });
});

describeWithServer('REDIS', 'a process with Redis', (url) => {
  describeEachDatabase((database) => {
    itReachesTheOther(database, { activity: BUS_ONLY, redis: url, withinMs: BY_BUS_MS });
  });
});

describePostgres('a process whose bus is dead', (database) => {
  afterAll(close);

  it('[F11] hears of a cancel by the poll, within its bound', async () => {
    const { options } = await database.create(import.meta.url);
    const here = await trackedApp({}, { database: options });
    const owner = new OwnerProcess({ options, activity: {}, redis: 'redis://127.0.0.1:1' });
    const id = await owner.run({ type: 'long' });
    const { word, tookMs } = await cancelAndMeasure(here, owner, { id });
    expect(word).toMatchObject({ abortReason: 'user', by });
    expect(tookMs).toBeLessThan(BY_POLL_MS);
  });
});
