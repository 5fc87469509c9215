import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { SlotClaim, SlotGrant } from '../../libs/activity/src/storage/activity-slots.js';
import type { NewActivity } from '../../libs/activity/src/storage/activity-store.js';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import { limitedInsertWrite, slotWrite } from '../../libs/activity/src/storage/storable-writes.js';
import { batchOf } from '../../libs/activity/src/storage/write-batch.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, type OpenStore } from './open-stores.js';

/** A process, as its store is: with what it is told, and short words for what it does. */
function processOf({ store, activity, end }: OpenStore) {
  const grants: SlotGrant[] = [];
  store.onGranted((more) => grants.push(...more));
  const claims = new Map<string, SlotClaim>();
  return {
    store,
    grants,
    async enter(claim: Partial<SlotClaim> = {}, values: Partial<NewActivity> = {}) {
      const whole = { key: 'k', max: 1, scope: 'default', ...claim };
      const row = activity({ status: 'queued', limitKey: whole.key, scope: whole.scope, ...values });
      claims.set(row.id, whole);
      return { id: row.id, ...(await store.enterLimit(row, whole)) };
    },
    async leave({ id }: { id: string }) {
      await store.leaveLimit(id, claims.get(id)!);
    },
    /** As its body ends. */
    async finish({ id }: { id: string }) {
      const settled = store.settle(end(id));
      await Promise.all([settled, store.leaveLimit(id, claims.get(id)!)]);
      expect(await settled).toEqual({ won: true });
    },
    claimOf: ({ id }: { id: string }) => claims.get(id)!,
    status: async ({ id }: { id: string }) => (await store.get(id))?.status,
  };
}

describeEachDatabase('the line of a limit', (database) => {
  let one: ReturnType<typeof processOf>;
  let two: ReturnType<typeof processOf>;
  let opened: OpenStore;
  let options: DataSourceOptions;

  beforeEach(async () => {
    ({ options } = await database.create(import.meta.url));
    opened = await openStore(options);
    one = processOf(opened);
    two = processOf(await openStore(options));
  });
  afterEach(closeStores);
  const query = async (sql: string): Promise<void> => {
    const app = await new DataSource({ ...options, entities: [] }).initialize();
    await app.query(sql);
    await app.destroy();
  };

  it('[F44] gives a slot at once where one is free, and a place where none is, to any process', async () => {
    const first = await one.enter({ max: 2 });
    const second = await two.enter({ max: 2 });
    const third = await one.enter({ max: 2 });
    expect([first, second, third]).toMatchObject([
      { state: 'started', max: 2 },
      { state: 'started' },
      { state: 'waiting', position: 1 },
    ]);
    expect(await two.enter({ max: 2 })).toMatchObject({ state: 'waiting', position: 2 });
    expect(await one.store.get(first.id)).toMatchObject({ status: 'running', startedAt: expect.any(Date) });
    expect(await one.store.get(third.id)).toMatchObject({ status: 'queued', startedAt: null });
  });

  it('hands a slot on with the end of its holder, in the order of arrival, and tells who has it', async () => {
    const holder = await one.enter();
    const [a, b] = [await two.enter(), await one.enter()];
    await one.finish(holder);
    expect(one.grants).toEqual([{ activityId: a.id, ownerId: two.store.ownerId, state: 'started' }]);
    expect(await two.status(a)).toBe('running');
    expect(await two.store.slotsOf([holder.id, a.id, b.id])).toEqual(
      expect.arrayContaining([
        { activityId: a.id, isHeld: true, status: 'running' },
        { activityId: b.id, isHeld: false, status: 'queued' },
      ]),
    );
    await two.finish(a);
    expect(two.grants).toEqual([{ activityId: b.id, ownerId: one.store.ownerId, state: 'started' }]);
    await one.finish(b);
    expect(await one.store.slotsOf([holder.id, a.id, b.id])).toEqual([]);
    expect(await two.enter()).toMatchObject({ state: 'started' });
  });

  it('[F45] lets scopes take turns', async () => {
    let holder: { id: string } = await one.enter();
    const waiting = [];
    for (const scope of ['a', 'a', 'a', 'b', 'b', 'c']) waiting.push({ scope, ...(await one.enter({ scope })) });
    expect(waiting.map((waiter) => waiter.state === 'waiting' && waiter.position)).toEqual([1, 2, 3, 2, 4, 3]);
    const served: string[] = [];
    for (let turn = 0; turn < 6; turn++) {
      await one.finish(holder);
      const granted = one.grants.at(-1)!.activityId;
      served.push(waiting.find(({ id }) => id === granted)!.scope);
      holder = { id: granted };
    }
    expect(served).toEqual(['a', 'b', 'c', 'a', 'b', 'a']);
  });

  it('[C97] of one key does not hold up another', async () => {
    await one.enter({ key: 'full' });
    await Promise.all(Array.from({ length: 100 }, () => one.enter({ key: 'full' })));
    expect(await two.enter({ key: 'free' })).toMatchObject({ state: 'started' });
  });

  it('is left by one that waits, whose turn goes to the next of its scope', async () => {
    const holder = await one.enter({ scope: 'x' });
    const [a1, b1, a2] = [
      await one.enter({ scope: 'a' }),
      await two.enter({ scope: 'b' }),
      await one.enter({ scope: 'a' }),
    ];
    await one.leave(a1);
    await one.leave(a1);
    await one.finish(holder);
    await two.finish(b1);
    expect([...one.grants, ...two.grants].map(({ activityId }) => activityId)).toEqual([b1.id, a2.id]);
  });

  it('passes by one that has been cancelled by another process, and starts one whose row is gone', async () => {
    const holder = await one.enter();
    const [cancelled, deleted] = [await one.enter(), await one.enter()];
    await two.store.requestCancel(cancelled.id, { requestedAt: new Date(), by: null, reason: null });
    await query(`DELETE FROM activities WHERE id = '${deleted.id}'`);
    await one.finish(holder);
    expect(one.grants).toMatchObject([{ activityId: deleted.id, state: 'held' }]);
    expect(await one.status(cancelled)).toBe('cancelled');
  });

  it('[C98] [F48] takes the newest limit: lowering it stops nobody, raising it starts more at once', async () => {
    const five = [];
    for (let n = 0; n < 5; n++) five.push(await one.enter({ max: 5 }));
    const waiting = [await two.enter({ max: 1 }), await two.enter({ max: 1 }), await two.enter({ max: 1 })];
    expect(five.every(({ state }) => state === 'started')).toBe(true);
    for (const running of five.slice(0, 4)) await one.finish(running);
    expect(one.grants).toEqual([]);
    expect(await two.enter({ max: 3 })).toMatchObject({ state: 'waiting', position: 2 });
    expect(two.grants.map(({ activityId }) => activityId)).toEqual([waiting[0]!.id, waiting[1]!.id]);
  });

  it('[F48] keeps to the limit that somebody has set, whatever calls say, until it is taken back', async () => {
    await one.enter({ max: 1 });
    const waiting = [await one.enter({ max: 1 }), await two.enter({ max: 1 }), await two.enter({ max: 1 })];
    await one.store.setLimit('k', 3);
    expect(one.grants.map(({ activityId }) => activityId)).toEqual([waiting[0]!.id, waiting[1]!.id]);
    expect(await two.enter({ max: 1 })).toMatchObject({ state: 'waiting', position: 2, max: 3 });
    await one.store.setLimit('k', null);
    expect(await two.enter({ max: 1 })).toMatchObject({ state: 'waiting', position: 3, max: 1 });
    await one.store.setLimit('new', 2);
    await one.store.setLimit('unknown', null);
    expect(await one.enter({ key: 'new', max: 1 })).toMatchObject({ state: 'started', max: 2 });
    expect(await one.enter({ key: 'unknown', max: 1 })).toMatchObject({ state: 'started', max: 1 });
  });

  it('counts one that runs without having been given a slot, whether it has come to the line or not', async () => {
    const holder = await one.enter();
    const [waiter, next] = [await two.enter(), await one.enter()];
    await two.store.holdSlot(waiter.id, two.claimOf(waiter));
    expect(await two.status(waiter)).toBe('running');
    const entering = two.enter();
    await one.finish(holder);
    expect(one.grants).toEqual([]);
    await entering;
    await two.finish(waiter);
    expect(two.grants.map(({ activityId }) => activityId)).toEqual([next.id]);
  });

  it('takes in one go what has come, run and gone before it could be written, and what has come and gone', async () => {
    const { store } = one;
    const holder = await two.enter();
    const claim = { key: 'k', max: 1, scope: 'default' };
    const [ran, left] = [opened.activity({ status: 'queued' }), opened.activity({ status: 'queued' })];
    const writes = [
      store.enterLimit(ran, claim),
      store.enterLimit(left, claim),
      store.holdSlot(ran.id, claim),
      store.settle(opened.end(ran.id)),
      store.settle(opened.end(left.id, { status: 'cancelled', reason: 'user' })),
      store.leaveLimit(ran.id, claim),
      store.leaveLimit(left.id, claim),
    ];
    expect(store.stats().batches).toBe(0);
    await Promise.all(writes);
    expect(store.stats().batches).toBe(1);
    expect(await one.status(ran)).toBe('succeeded');
    expect(await store.get(left.id)).toMatchObject({ status: 'cancelled', startedAt: null });
    expect(await store.slotsOf([holder.id, ran.id, left.id])).toMatchObject([{ activityId: holder.id }]);
  });

  it('stands as it did when the same batch is written again, since nobody heard that it was', async () => {
    const under = createDatabase(options, '', () => undefined);
    await under.open();
    const holder = await one.enter();
    const claim = { key: 'k', max: 2, scope: 'default' };
    const rows = [0, 1, 2].map(() => opened.activity({ status: 'queued' }));
    const writes = [
      ...rows.map((row) => limitedInsertWrite(row.id, row, claim)),
      slotWrite('leave', holder.id, { claim, ownerId: one.store.ownerId }),
    ];
    const standings = async (retried: boolean) => [...(await under.write(batchOf(writes), retried)).slots!.standings];
    const first = await standings(false);
    expect(first.map(([, { state }]) => state)).toEqual(['started', 'started', 'waiting']);
    const again = await standings(true);
    expect(again.map(([, { state }]) => state)).toEqual(['held', 'held', 'waiting']);
    expect(await two.store.slotsOf(rows.map(({ id }) => id))).toHaveLength(3);
    await under.close();
  });

  it('frees the slots and places of a process that is dead, and nobody else’s', async () => {
    await one.enter({ max: 2 });
    const alive = await two.enter({ max: 2 });
    const [dead, next] = [await one.enter({ max: 2 }), await two.enter({ max: 2 })];
    await two.store.freeSlotsOf(one.store.ownerId);
    expect(two.grants.map(({ activityId }) => activityId)).toEqual([next.id]);
    const looks = await two.store.slotsOf([alive.id, dead.id, next.id]);
    expect(looks.map(({ activityId }) => activityId).toSorted()).toEqual([alive.id, next.id].toSorted());
  });

  it('goes on after a slot was deleted by hand, and after all of it was', async () => {
    const holder = await one.enter();
    const waiter = await two.enter();
    await two.store.handOn(['k', 'unknown']);
    expect(two.grants).toEqual([]);
    await query(`DELETE FROM activity_slots WHERE activity_id = '${holder.id}'`);
    await two.store.handOn(['k']);
    expect(two.grants.map(({ activityId }) => activityId)).toEqual([waiter.id]);
    for (const table of ['activity_slots', 'activity_limits']) await query(`DELETE FROM ${table}`);
    await two.finish(waiter);
    expect(await one.enter()).toMatchObject({ state: 'started' });
  });

  it('[F44] never gives more slots than there are, and each waiter one, when processes come and go at once', async () => {
    const max = 3;
    let running = 0;
    let most = 0;
    const done: string[] = [];
    const run = async (process: typeof one, held: { id: string }): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      done.push(held.id);
      await process.finish(held);
    };
    const work: Promise<void>[] = [];
    const started = (grants: readonly SlotGrant[]): void => {
      for (const { activityId: id, ownerId } of grants)
        work.push(run(ownerId === one.store.ownerId ? one : two, { id }));
    };
    for (const process of [one, two]) process.store.onGranted(started);
    const come = async (process: typeof one): Promise<void> => {
      const standing = await process.enter({ max });
      if (standing.state !== 'waiting') await run(process, standing);
    };
    await Promise.all(Array.from({ length: 60 }, (_, n) => come(n % 2 ? one : two)));
    while (done.length < 60) await Promise.all(work);
    await Promise.all(work);
    expect(most).toBe(max);
    expect(new Set(done).size).toBe(60);
    expect(await one.store.slotsOf(done)).toEqual([]);
  });
});
