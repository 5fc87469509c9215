import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ActivityOwnerLostError, type ActivityContext } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { closeApps, databaseFile, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { ownersTable, type OwnersTable } from './owners-table.js';

const LEASE_MS = 500;

describe('a process', () => {
  let options: DataSourceOptions;
  let app: TrackedApp;
  let owners: OwnersTable;

  beforeEach(async () => {
    options = { type: 'better-sqlite3', database: databaseFile() };
    app = await trackedApp(
      {},
      { database: options, activity: { lease: LEASE_MS, cancelPoll: 100, shutdownGrace: '20s' } },
    );
    owners = await ownersTable(options);
  });
  afterEach(async () => {
    await closeApps();
    await owners.close();
  });

  const ownRow = async () => owners.row((await owners.ids())[0]!);
  const untilAborted = (activity: ActivityContext) => activity.sleep(60_000);
  /** What a sweep of another process does. */
  const takeFromIt = async () => {
    await owners.query("UPDATE activities SET status = 'interrupted', reason = 'owner_lost', fence = fence + 1", []);
    await owners.change((await owners.ids())[0]!, 'sweeps = sweeps + 1');
  };

  it('keeps its lease while it runs nothing, and until its last activity has ended when it stops [F52] [C107]', async () => {
    const { renewedAt } = await ownRow();
    await eventually(ownRow, (row) => row.renewedAt > renewedAt);
    const work = deferred();
    const done = app.activities.run({ type: 'slow' }, () => work.promise);
    const { id } = await app.probe.started('slow');
    const closing = app.app.close();
    const before = await ownRow();
    // Twice: so that the process would be taken for dead if it did not.
    await eventually(ownRow, (row) => row.renewedAt > before.expiresAt + LEASE_MS);
    work.resolve();
    await Promise.all([done, closing]);
    expect(await owners.ids()).toEqual([]);
    const reader = await trackedApp({}, { database: options });
    expect(await reader.activities.get(id)).toMatchObject({ status: 'succeeded' });
  });

  it('aborts what others have taken from it, with its own reason, and changes none of it any more [F55] [F13] [C102]', async () => {
    const cleanUp = deferred();
    const late = deferred();
    const work = app.activities.run({ type: 'copy', limit: { key: 'disk', max: 1 } }, async (activity) => {
      activity.onCancel(() => cleanUp.resolve());
      activity.log.info('halfway');
      await activity.flushed();
      await activity.uncancellable('rename', () => untilAborted(activity)).catch(() => undefined);
      activity.log.info('too late');
      activity.progress(90);
      late.resolve();
      throw activity.signal.reason;
    });
    work.catch(() => undefined);
    const { id } = await app.probe.started('copy');
    const waiting = app.activities.run({ type: 'wait', limit: { key: 'disk', max: 1 } }, untilAborted);
    waiting.catch(() => undefined);
    const queued = await app.probe.queued('wait');
    await eventually(
      () => app.probe.lines(id),
      (lines) => lines.includes('halfway'),
    );
    await takeFromIt();
    const lost = { code: 'ACTIVITY_CANCELLED', abortReason: 'owner_lost' };
    await expect(work).rejects.toMatchObject(lost);
    await expect(work).rejects.toBeInstanceOf(ActivityOwnerLostError);
    await expect(waiting).rejects.toMatchObject(lost);
    await Promise.all([cleanUp.promise, late.promise]);
    for (const one of [id, queued.id]) {
      expect(await app.probe.settled(one)).toMatchObject({ status: 'interrupted', reason: 'owner_lost' });
      expect(app.probe.count('settled', one)).toBe(1);
    }
    expect(await app.probe.lines(id)).toEqual(['halfway']);
    expect(app.log.warnings('taken to be dead')).toEqual([expect.stringContaining('2 of its activities')]);
    // What it starts from now on is its own.
    const next = await app.activities.runInBackground({ type: 'next' }, () => undefined);
    await next.done;
    expect(await app.probe.settled(next.id)).toMatchObject({ status: 'succeeded' });
  });

  it('leaves its own work alone where nobody has taken any, however long it was silent', async () => {
    const work = deferred();
    const done = app.activities.run({ type: 'slow' }, () => work.promise);
    const { id } = await app.probe.started('slow');
    await owners.age((await owners.ids())[0]!, 60_000);
    const { now } = await ownRow();
    await eventually(ownRow, (row) => row.renewedAt > now);
    await owners.delete((await owners.ids())[0]!);
    await eventually(
      () => owners.ids(),
      (ids) => ids.length === 1,
    );
    work.resolve();
    await done;
    expect(await app.probe.settled(id)).toMatchObject({ status: 'succeeded' });
    expect(app.log.warnings()).toEqual([]);
  });

  it('gives back the key of what it has lost at once, and its slot when the work has ended', async () => {
    const work = deferred();
    const lost = app.activities.run(
      { type: 'deaf', exclusive: 'image:1', limit: { key: 'disk', max: 1 }, cancelGrace: 20 },
      () => work.promise,
    );
    lost.catch(() => undefined);
    await app.probe.started('deaf');
    await takeFromIt();
    await expect(lost).rejects.toMatchObject({ abortReason: 'owner_lost' });
    await app.activities.run({ type: 'next', exclusive: 'image:1' }, () => undefined);
    const waiting = app.activities.run({ type: 'wait', limit: { key: 'disk', max: 1 } }, () => 'ran');
    await app.probe.queued('wait');
    expect(app.activities.stats().activities).toEqual({ running: 0, queued: 1 });
    work.resolve();
    expect(await waiting).toBe('ran');
  });
});
