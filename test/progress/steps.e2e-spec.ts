import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { closeStores, openStore } from '../storage/open-stores.js';
import { describeEachDatabase, type TestDatabase } from '../support/databases.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { currentActivity, type ActivityStep } from 'nestjs-activity';

const HOUR = 3_600_000;

describeEachDatabase('the steps of an activity', (database) => {
  let options: DataSourceOptions;
  let created: TestDatabase;

  beforeEach(async () => {
    created = await database.create(import.meta.url);
    options = created.options;
  });
  afterEach(async () => {
    await closeStores();
    await closeApps();
    await created.drop();
  });

  it('[F33] are on its row with their status, times and progress, and left out of lists', async () => {
    const { activities, probe } = await trackedApp({}, { database: options });
    const failure = new Error('no space left');
    await expect(
      activities.run({ type: 'image.build' }, (activity) => {
        activity.steps(['fetch', { name: 'compile', weight: 8 }, 'push']);
        activity.step('fetch', { total: 2, unit: 'layers' });
        activity.progress({ current: 2 });
        activity.step('compile');
        activity.progress({ current: 3, total: 4, unit: 'modules 🚀' });
        throw failure;
      }),
    ).rejects.toBe(failure);
    const row = await probe.only();
    expect(row).toMatchObject({
      status: 'failed',
      step: 'compile',
      progress: { percent: 70, current: 3, total: 4, unit: 'modules 🚀', perSecond: null },
      expectedEndAt: null,
      omittedStepCount: 0,
      steps: [
        { name: 'fetch', status: 'succeeded', weight: 1, progress: { percent: 100, current: 2, unit: 'layers' } },
        { name: 'compile', status: 'failed', weight: 8, progress: { percent: 75, current: 3, total: 4 } },
        { name: 'push', status: 'skipped', weight: 1, startedAt: null, endedAt: null, progress: { percent: null } },
      ],
    });
    const [fetch, compile] = row.steps as [ActivityStep, ActivityStep];
    expect([fetch.startedAt, fetch.endedAt, compile.startedAt]).toEqual([
      expect.any(Date),
      compile.startedAt,
      expect.any(Date),
    ]);
    expect(compile.endedAt).toEqual(row.endedAt);
    const { items } = await activities.list();
    expect(items[0]).toMatchObject({ step: 'compile', progress: { percent: 70 } });
    expect(items[0]).not.toHaveProperty('steps');
  });

  it('[F33] end with their work where they are given one, and its value or error reaches the caller', async () => {
    const { activities, probe } = await trackedApp({}, { database: options });
    const failure = new Error('no route');
    await activities.run({ type: 'deploy' }, async (activity) => {
      expect(await activity.step('build', () => 7)).toBe(7);
      await expect(
        activity.step('notify', { total: 2 }, async () => {
          activity.progress({ current: 1 });
          throw failure;
        }),
      ).rejects.toBe(failure);
      expect(await activity.step('outer', () => activity.step('inner', async () => 'in'))).toBe('in');
      activity.log.info('after');
    });
    const { id, steps, step } = await probe.only();
    expect(steps.map(({ name, status, progress }) => [name, status, progress.percent])).toEqual([
      ['build', 'succeeded', 100],
      ['notify', 'failed', 50],
      ['outer', 'succeeded', 100],
      ['inner', 'succeeded', 100],
    ]);
    expect(step).toBeNull();
    expect((await activities.messages(id))[0]).toMatchObject({ text: 'after', step: null });

    const handle = await activities.start({ type: 'cancelled' });
    const stopped = handle.step('wait', () => handle.sleep(60_000));
    await activities.cancel(handle.id);
    await expect(stopped).rejects.toMatchObject({ code: 'ACTIVITY_CANCELLED' });
    await handle.cancelled();
    expect((await probe.row(handle.id)).steps).toMatchObject([{ name: 'wait', status: 'cancelled' }]);
    // Outside an activity the work is done all the same.
    expect(await currentActivity().step('x', async () => 1)).toBe(1);
    expect(currentActivity().step('x')).toBeUndefined();
  });

  it('[F32] have a rate and an expected end beside them, in lists too, which are gone after the end', async () => {
    const { store, run, owner, end } = await openStore(options);
    const { id } = await run();
    const expectedEndAt = new Date(Date.now() + HOUR);
    const progress = { percent: 10, current: 1, total: 10, unit: 'files', perSecond: 0.0025 };
    await store.update(id, owner, { progress, expectedEndAt });
    expect(await store.get(id)).toMatchObject({ progress, expectedEndAt });
    expect((await store.list({})).items[0]).toMatchObject({ progress, expectedEndAt });
    // As by a process that ends what another one has left: it says nothing of either.
    await store.settle(end(id, { status: 'interrupted', reason: 'owner_lost', changes: {} }));
    expect(await store.get(id)).toMatchObject({ progress: { ...progress, perSecond: null }, expectedEndAt: null });
  });

  it('[F33] end with an activity whose process could not say so', async () => {
    const { store, run, owner, end } = await openStore(options);
    const { id } = await run();
    const progress = { percent: null, current: null, total: null, unit: null, perSecond: 3 };
    const step = { weight: null, startedAt: new Date(0), endedAt: null, progress };
    const pending = { ...step, name: 'later', status: 'pending', startedAt: null } as const;
    await store.update(id, owner, {
      steps: { items: [{ ...step, name: 'x\0'.repeat(200), status: 'running' }, pending], omitted: 7 },
    });
    await store.settle(end(id, { status: 'interrupted', reason: 'owner_lost', changes: {} }));
    const row = (await store.get(id))!;
    expect(row).toMatchObject({ omittedStepCount: 7, steps: [{ status: 'interrupted' }, { status: 'skipped' }] });
    expect(row.steps[0]).toMatchObject({ startedAt: new Date(0), endedAt: row.endedAt });
    expect(row.steps[0]!.name).toBe(`${'x\uFFFD'.repeat(127)}…`);
  });
});
