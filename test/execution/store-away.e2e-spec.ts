import { AsyncLocalStorage } from 'node:async_hooks';
import { jest } from '@jest/globals';
import { ActivityStoreError } from 'nestjs-activity';
import { MysqlDatabase } from '../../libs/activity/src/storage/mysql-database.js';
import { PostgresDatabase } from '../../libs/activity/src/storage/postgres-database.js';
import { SqliteDatabase } from '../../libs/activity/src/storage/sqlite-database.js';
import { describeEachDatabase, type DatabaseKind } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { holdWrites } from '../support/held-database.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

const BUSY = {
  sqlite: ['SQLITE_BUSY'],
  postgres: ['40P01', '40001'],
  mariadb: ['ER_LOCK_DEADLOCK'],
};
const DATABASES = { sqlite: SqliteDatabase, postgres: PostgresDatabase, mariadb: MysqlDatabase };

/**
 * Makes the first `times` writes that have an end in them fail, as the driver would.
 * @returns how many have failed so far.
 */
function endsFail(kind: DatabaseKind, code: string, times: number): () => number {
  const database = DATABASES[kind].prototype as SqliteDatabase;
  const { write } = database;
  let faults = 0;
  jest.spyOn(database, 'write').mockImplementation(function (this: SqliteDatabase, batch, retried) {
    if (batch.settlements.length === 0 || faults >= times) return write.call(this, batch, retried);
    faults++;
    return Promise.reject(Object.assign(new Error(`made to fail with ${code}`), { code }));
  });
  return () => faults;
}

afterEach(() => {
  jest.restoreAllMocks();
});
afterEach(closeApps);

describeEachDatabase('while the database takes no writes', (database) => {
  async function appWithHeldStore(activity = {}) {
    const { options } = await database.create(import.meta.url);
    const app = await trackedApp({}, { database: options, activity: { startTimeout: 80, ...activity } });
    return { ...app, hold: () => holdWrites(options) };
  }

  it('the work runs, its value or error reaches the caller by identity, and the record lands later with its true times', async () => {
    const { activities, probe, hold, log } = await appWithHeldStore();
    const release = await hold();
    const value = {};
    const error = new Error('own');
    const before = Date.now();
    expect(await activities.run({ type: 'good' }, () => value)).toBe(value);
    await expect(
      activities.run({ type: 'bad' }, ({ log: lines }) => {
        lines.info('a line');
        throw error;
      }),
    ).rejects.toBe(error);
    const after = Date.now();
    expect(log.warnings('cannot be recorded')).toHaveLength(1);
    await release();
    const [good, bad] = [await probe.settled('good'), await probe.settled('bad')];
    expect(good).toMatchObject({ status: 'succeeded' });
    expect(bad).toMatchObject({ status: 'failed', error: { message: 'own' } });
    expect(await probe.lines(bad.id)).toEqual(['a line', 'own']);
    for (const row of [good, bad]) {
      expect(row.createdAt.getTime()).toBeGreaterThanOrEqual(before);
      expect(row.endedAt!.getTime()).toBeLessThanOrEqual(after);
    }
  });

  it('the work and who listens are called in the async context of the call, whoever was waited for', async () => {
    const { activities, probe, hold } = await appWithHeldStore();
    const request = new AsyncLocalStorage<string>();
    const heard: string[] = [];
    activities.on(({ name, activity: { type } }) => void heard.push(`${type} ${name} ${request.getStore()}`));
    const call = (type: string) =>
      request.run(type, () => activities.run({ type }, async () => `${request.getStore()}`));
    expect(await Promise.all([call('a'), call('b')])).toEqual(['a', 'b']);
    const release = await hold();
    expect(await Promise.all([call('c'), call('d')])).toEqual(['c', 'd']);
    await release();
    for (const type of ['a', 'b', 'c', 'd']) {
      await probe.settled(type);
      expect(heard.filter((said) => said.startsWith(type))).toEqual([
        `${type} started ${type}`,
        `${type} settled ${type}`,
      ]);
    }
  });

  it('[C04] an end is kept until it can be written: never `running` for ever, and the caller has its value at once', async () => {
    const { activities, probe, hold } = await appWithHeldStore();
    const end = deferred<string>();
    const work = activities.run({ type: 'x' }, () => end.promise);
    const { id } = await probe.started('x');
    const release = await hold();
    end.resolve('value');
    expect(await work).toBe('value');
    expect(probe.count('settled', id)).toBe(0);
    await release();
    expect(await probe.settled(id)).toMatchObject({ status: 'succeeded', reason: null });
    expect(probe.count('settled', id)).toBe(1);
  });

  it.each(BUSY[database.kind])('[C04] an end that fails with %s is written at the third attempt', async (code) => {
    const { activities, probe, log } = await appWithHeldStore({ startTimeout: '10s' });
    const faults = endsFail(database.kind, code, 2);
    const value = {};
    expect(await activities.run({ type: 'x' }, () => value)).toBe(value);
    expect(await probe.settled('x')).toMatchObject({ status: 'succeeded', reason: null });
    expect(faults()).toBe(2);
    expect(probe.count('settled')).toBe(1);
    expect(log.warnings()).toEqual([]);
  });

  it.each(BUSY[database.kind])(
    '[C04] an end that fails with %s again and again is written when it can be',
    async (code) => {
      const { activities, probe } = await appWithHeldStore();
      const value = {};
      const faults = endsFail(database.kind, code, Infinity);
      expect(await activities.run({ type: 'x' }, () => value)).toBe(value);
      const { id } = await probe.started('x');
      expect(probe.count('settled', id)).toBe(0);
      expect(await probe.row(id)).toMatchObject({ status: 'running' });
      expect(faults()).toBeGreaterThanOrEqual(2);
      jest.restoreAllMocks();
      expect(await probe.settled(id)).toMatchObject({ status: 'succeeded', reason: null });
      expect(probe.count('settled', id)).toBe(1);
    },
  );

  it('a start is refused where the policy says so, without calling the work, and its row says why', async () => {
    const { activities, probe, hold } = await appWithHeldStore();
    const release = await hold();
    let called = false;
    await expect(
      activities.run({ type: 'refused', onStoreFailure: 'reject' }, () => (called = true)),
    ).rejects.toBeInstanceOf(ActivityStoreError);
    expect(called).toBe(false);
    await release();
    expect(await probe.settled('refused')).toMatchObject({ status: 'failed', reason: 'error' });
  });

  it('a cancel aborts the work of this process all the same, and the row tells who and why', async () => {
    const { activities, probe, hold } = await appWithHeldStore();
    const work = activities.run({ type: 'x' }, ({ sleep }) => sleep(60_000)).catch((error: unknown) => error);
    const { id } = await probe.started('x');
    const release = await hold();
    expect(await activities.cancel(id, { by: 'ada', reason: 'stop' })).toMatchObject({ outcome: 'requested' });
    expect(await work).toMatchObject({ abortReason: 'user', by: { id: 'ada' } });
    await release();
    expect(await probe.settled(id)).toMatchObject({
      status: 'cancelled',
      reason: 'user',
      cancel: { by: { id: 'ada' }, reason: 'stop' },
    });
  });
});
