import { ActivityStoreError } from 'nestjs-activity';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { holdWrites } from '../support/held-database.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

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
