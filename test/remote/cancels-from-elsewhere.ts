import { afterEach, expect, it, jest } from '@jest/globals';
import {
  ActivityForcedError,
  ActivitySupersededError,
  ActivityUserCancelledError,
  type ActivityContext,
  type ActivityModuleOptions,
} from 'nestjs-activity';
import type { NewActivity } from '../../libs/activity/src/storage/activity-store.js';
import { SqlActivityStore } from '../../libs/activity/src/storage/sql-activity-store.js';
import type { DatabaseUnderTest } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { failureOf } from '../support/failure-of.js';
import { eventually } from '../support/eventually.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';

type Insert = (this: SqlActivityStore, row: NewActivity) => Promise<void>;

export const untilStopped = (activity: ActivityContext) => activity.sleep(60_000);
const by = { id: 'ada', name: 'Ada' };
const cancel = { by, reason: 'wrong tag', requestedAt: expect.any(Date) as unknown };

/** Two applications that share the database, and what `activity` says; where there is a bus, both hear. */
export async function twoApps(database: DatabaseUnderTest, activity: ActivityModuleOptions) {
  const { options } = await database.create(import.meta.url);
  const owner = await trackedApp({}, { database: options, activity });
  const other = await trackedApp({}, { database: options, activity });
  await Promise.all([owner, other].map(hearing));
  return { owner, other };
}

/** Resolves when it hears other processes. */
export async function hearing({ activities }: Pick<TrackedApp, 'activities'>): Promise<void> {
  await eventually(
    async () => activities.stats().bus,
    (bus) => bus === null || bus.isConnected,
  );
}

/** What holds of a cancel from a process that does not run the activity, however that one hears of it. */
export function itCancelsFromElsewhere(database: DatabaseUnderTest, activity: () => ActivityModuleOptions): void {
  const open = () => twoApps(database, activity());

  afterEach(closeApps);

  it('[F11] aborts the work, which learns who and why, and the owner writes the line', async () => {
    const { owner, other } = await open();
    const work = failureOf(owner.activities.run({ type: 'long' }, untilStopped));
    const { id } = await owner.probe.started('long');
    const receipt = await other.activities.cancel(id, { by, reason: 'wrong tag', wait: 'settled' });
    expect(receipt).toMatchObject({
      outcome: 'requested',
      activity: { id, status: 'cancelled', reason: 'user', cancel },
    });
    const error = await work;
    expect(error).toBeInstanceOf(ActivityUserCancelledError);
    expect(error).toMatchObject({ by, userReason: 'wrong tag' });
    expect(await other.probe.lines(id)).toEqual([`Activity ${id} was cancelled by Ada: wrong tag`]);
    expect(owner.probe.count('cancelling', id)).toBe(1);
    expect(owner.probe.count('settled', id)).toBe(1);
  });

  it('[F11] ends what waits, whose body is never called', async () => {
    const { owner, other } = await open();
    const end = deferred();
    const limit = { key: 'docker', max: 1 };
    let isCalled = false;
    const holder = owner.activities.run({ type: 'holder', limit }, () => end.promise);
    await owner.probe.started('holder');
    const waiting = failureOf(owner.activities.run({ type: 'waiting', limit }, () => (isCalled = true)));
    const { id } = await owner.probe.queued('waiting');
    const receipt = await other.activities.cancel(id, { by, reason: 'wrong tag' });
    expect(receipt).toMatchObject({ outcome: 'cancelled', activity: { status: 'cancelled', reason: 'user', cancel } });
    expect(await waiting).toMatchObject({ abortReason: 'user', by, userReason: 'wrong tag' });
    expect(isCalled).toBe(false);
    expect(owner.probe.count('settled', id)).toBe(1);
    end.resolve();
    await holder;
  });

  it('[F18] by force ends the row at once, and leaves the work as soon as its process hears of it', async () => {
    const { owner, other } = await open();
    const end = deferred();
    const limit = { key: 'docker', max: 1 };
    const work = failureOf(owner.activities.run({ type: 'deaf', limit }, () => end.promise));
    const { id } = await owner.probe.started('deaf');
    const receipt = await other.activities.cancel(id, { by, reason: 'wrong tag', force: true });
    expect(receipt).toMatchObject({ outcome: 'forced', activity: { status: 'cancelled', reason: 'forced', cancel } });
    const error = await work;
    expect(error).toBeInstanceOf(ActivityForcedError);
    expect(error).toMatchObject({ by, userReason: 'wrong tag' });
    const next = owner.activities.run({ type: 'next', limit }, () => 'ran');
    await owner.probe.queued('next');
    end.resolve();
    expect(await next).toBe('ran');
    expect(await owner.probe.row(id)).toEqual(receipt.activity);
  });

  it('[F18] by force escalates a request that its process has heard already', async () => {
    const { owner, other } = await open();
    const end = deferred();
    const work = failureOf(owner.activities.run({ type: 'deaf' }, () => end.promise));
    const { id } = await owner.probe.started('deaf');
    await other.activities.cancel(id, { by });
    await owner.probe.cancelling(id);
    expect(await other.activities.cancel(id, { force: true })).toMatchObject({ outcome: 'forced' });
    expect(await work).toMatchObject({ abortReason: 'user', by });
    end.resolve();
  });

  it('of an activity that is superseded elsewhere says so', async () => {
    const { owner, other } = await open();
    const exclusive = { key: 'k', onConflict: 'supersede' } as const;
    const old = failureOf(owner.activities.run({ type: 'old', exclusive }, untilStopped));
    const { id } = await owner.probe.started('old');
    expect(await other.activities.run({ type: 'newer', exclusive, actor: by }, () => 'ran')).toBe('ran');
    expect(await old).toBeInstanceOf(ActivitySupersededError);
    expect(await other.probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'superseded', cancel: { by } });
  });

  it('[C111] is heard of an activity whose row is there, before its process has been told so', async () => {
    const { owner, other } = await open();
    const { insert } = SqlActivityStore.prototype as { insert: Insert };
    const insertAndCancel = async function (this: SqlActivityStore, row: NewActivity): Promise<void> {
      await insert.call(this, row);
      await other.activities.cancel(row.id, { by });
    };
    jest.spyOn(SqlActivityStore.prototype, 'insert').mockImplementationOnce(insertAndCancel);
    const early = failureOf(owner.activities.run({ type: 'early' }, untilStopped));
    expect(await early).toMatchObject({ abortReason: 'user', by });
    expect(await owner.probe.settled('early')).toMatchObject({ status: 'cancelled', reason: 'user', cancel: { by } });
  });

  it('[C13] leaves work alone whose row was deleted by hand', async () => {
    const { owner, other } = await open();
    const end = deferred<string>();
    const work = owner.activities.run({ type: 'deleted' }, () => end.promise);
    const { id } = await owner.probe.started('deleted');
    const heard = failureOf(owner.activities.run({ type: 'heard' }, untilStopped));
    await owner.probe.started('heard');
    await other.dataSource.query(`DELETE FROM activities WHERE id = '${id}'`);
    const { items } = await other.activities.list({ type: 'heard' });
    await other.activities.cancel(items[0]!.id);
    expect(await heard).toMatchObject({ abortReason: 'user' });
    end.resolve('its own value');
    expect(await work).toBe('its own value');
  });
}
