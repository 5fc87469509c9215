import { afterEach, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { ActivityStore } from '../../libs/activity/src/storage/activity-store.js';
import { limitHash } from '../../libs/activity/src/storage/limit-hash.js';
import { describeEachDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { closeStores, openStore } from '../storage/open-stores.js';

const operators: DataSource[] = [];
afterEach(closeStores);
// One that a failed test has left open would keep its database from being dropped.
afterEach(async () => {
  for (const operator of operators.splice(0)) if (operator.isInitialized) await operator.destroy();
});

describeEachDatabase('rows that somebody has locked', (database) => {
  if (database.kind === 'sqlite') {
    it('are none here: a lock is on the whole file, which test/storage/outages shows', async () => {
      const { options } = await database.create(import.meta.url);
      const { store, run } = await openStore(options);
      await run({}, {});
      expect(store.stats()).toMatchObject({ heldBack: 0, awaySince: null });
    });
    return;
  }

  async function operatorOf(options: DataSourceOptions): Promise<DataSource> {
    const operator = await new DataSource({ ...options, entities: [] }).initialize();
    operators.push(operator);
    return operator;
  }
  /** What an operator's open transaction does. */
  const lock = (dataSource: DataSource, ids: string[]): Promise<() => Promise<void>> =>
    lockRows(dataSource, `activities WHERE id IN (${ids.map((id) => `'${id}'`).join(', ')})`);
  async function lockRows(dataSource: DataSource, rows: string): Promise<() => Promise<void>> {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`SELECT * FROM ${rows} FOR UPDATE`);
    return async () => {
      await runner.rollbackTransaction();
      await runner.release();
    };
  }
  const whenHeldBack = (store: ActivityStore, count: number) =>
    eventually(
      async () => store.stats().heldBack,
      (held) => held === count,
    );

  it('keep only what is for them waiting, in its order; all else lands', async () => {
    const { options } = await database.create(import.meta.url);
    const { store, run, line, end, log } = await openStore(options);
    const operator = await operatorOf(options);
    const rows = await Promise.all(Array.from({ length: 50 }, () => run()));
    const [locked, ...others] = rows.map(({ id }) => id);
    const letGo = await lock(operator, [locked!]);

    const settledOf = (id: string) => {
      void store.append(line(id, 1));
      void store.append(line(id, 2));
      return store.settle(end(id));
    };
    let isSettled = false;
    const waiting = settledOf(locked!).finally(() => (isSettled = true));
    expect(await Promise.all(others.map(settledOf))).toEqual(others.map(() => ({ won: true })));
    const later = await run({}, {});
    await store.flush(later.id);
    expect(await store.get(later.id)).toMatchObject({ status: 'succeeded' });
    expect(isSettled).toBe(false);
    await whenHeldBack(store, 3);
    expect(store.stats()).toMatchObject({ awaySince: null, waiting: { ends: 1, lines: 2 } });

    await letGo();
    expect(await waiting).toEqual({ won: true });
    await store.flush();
    expect(await store.get(locked!)).toMatchObject({ status: 'succeeded', version: 2 });
    expect((await store.messages(locked!, {})).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(store.stats()).toMatchObject({
      heldBack: 0,
      refused: 0,
      waiting: { starts: 0, ends: 0, changes: 0, lines: 0 },
    });
    expect(log).toEqual([]);
  });

  it('do not stop a single write of another activity, nor the newest progress of their own', async () => {
    const { options } = await database.create(import.meta.url);
    const { store, run, owner, end } = await openStore(options);
    const operator = await operatorOf(options);
    const [locked, other] = [await run(), await run()];
    const letGo = await lock(operator, [locked.id]);
    const progress = (percent: number) => ({
      progress: { percent, current: null, total: null, unit: null, perSecond: null },
    });
    const first = store.update(locked.id, owner, progress(1));
    await whenHeldBack(store, 1);
    const newest = [2, 3, 4].map((percent) => store.update(locked.id, owner, progress(percent)));
    expect(store.stats().heldBack).toBe(1);
    expect(await store.settle(end(other.id))).toEqual({ won: true });
    const flushed = store.flush(locked.id);
    await letGo();
    await Promise.all([first, ...newest, flushed]);
    expect(await store.get(locked.id)).toMatchObject({ progress: { percent: 4 } });
  });

  it('that stay locked while the application stops keep it no longer than was said', async () => {
    const { options } = await database.create(import.meta.url);
    const { store, run, end } = await openStore(options);
    const operator = await operatorOf(options);
    const { id } = await run();
    const letGo = await lock(operator, [id]);
    const ending = store.settle(end(id));
    ending.catch(() => undefined);
    await whenHeldBack(store, 1);
    await store.close(50);
    await expect(ending).rejects.toMatchObject({ code: 'ACTIVITY_STORE_UNAVAILABLE' });
    await letGo();
  });

  it('of a limit keep only those waiting that need a slot of it', async () => {
    const { options } = await database.create(import.meta.url);
    const { store, run, activity } = await openStore(options);
    const operator = await operatorOf(options);
    const enter = (key: string) => store.enterLimit(activity({ status: 'queued' }), { key, max: 5, scope: 'default' });
    await enter('locked');
    const letGo = await lockRows(operator, `activity_limits WHERE key_hash = '${limitHash('locked')}'`);
    let hasEntered = false;
    const entering = enter('locked').finally(() => (hasEntered = true));
    expect(await enter('free')).toMatchObject({ state: 'started' });
    const { id } = await run({}, {});
    expect(await store.get(id)).toMatchObject({ status: 'succeeded' });
    await whenHeldBack(store, 1);
    expect(hasEntered).toBe(false);
    await letGo();
    expect(await entering).toMatchObject({ state: 'started' });
  });

  it('of one that waits for a slot do not keep the slot from it, nor its holder from ending', async () => {
    const { options } = await database.create(import.meta.url);
    const { store, activity, end } = await openStore(options);
    const operator = await operatorOf(options);
    const claim = { key: 'k', max: 1, scope: 'default' };
    const [holder, waiter] = [activity({ status: 'queued' }), activity({ status: 'queued' })];
    for (const one of [holder, waiter]) await store.enterLimit(one, claim);
    const granted = new Promise((resolve) => store.onGranted(resolve));
    const letGo = await lock(operator, [waiter.id]);
    await Promise.all([store.settle(end(holder.id)), store.leaveLimit(holder.id, claim)]);
    expect(await granted).toMatchObject([{ activityId: waiter.id, state: 'held' }]);
    await letGo();
    expect(await store.slotsOf([waiter.id])).toMatchObject([{ isHeld: true, status: 'queued' }]);
  });
});
