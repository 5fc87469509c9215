import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { interruptPlan } from '../../libs/activity/src/storage/interrupt-plan.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, type OpenStore } from '../storage/open-stores.js';
import { ownersTable, type OwnersTable } from './owners-table.js';

const LEASE_MS = 30_000;
const lostTo = (status: string) => ({ won: false, status });

describeEachDatabase('a sweep', (database) => {
  let options: DataSourceOptions;
  let owners: OwnersTable;
  let dead: OpenStore;
  let sweeper: OpenStore;

  beforeEach(async () => {
    ({ options } = await database.create(import.meta.url));
    dead = await openStore(options);
    owners = await ownersTable(options);
    sweeper = await steady();
  });
  afterEach(async () => {
    await closeStores();
    await owners.close();
  });

  /** One that has been renewing for a lease. */
  async function steady(): Promise<OpenStore> {
    const under = await openStore(options);
    await owners.change(under.store.ownerId, `steady_since = steady_since - ${LEASE_MS}`);
    return under;
  }
  const silence = ({ store }: OpenStore) => owners.age(store.ownerId, LEASE_MS + 1);
  /** @returns what it has ended. */
  async function sweepBy({ store }: OpenStore): Promise<string[]> {
    const ended: string[] = [];
    await store.sweep({ onInterrupted: ({ ids }) => ended.push(...ids) });
    return ended.toSorted();
  }
  const linesOf = async (id: string) => (await sweeper.store.messages(id, {})).map(({ seq, text }) => [seq, text]);

  it('ends what a silent process has left running, waiting and cancelling, with a line that says whose it was [F03] [F53] [C96]', async () => {
    const startedAt = new Date(Date.now() - 60_000);
    const running = await dead.run({ createdAt: startedAt });
    const [queued, cancelling, ended] = [
      await dead.run({ status: 'queued' }),
      await dead.run(),
      await dead.run({}, {}),
    ];
    const requestedAt = new Date();
    await dead.store.requestCancel(cancelling.id, { requestedAt, by: { id: 'ada', name: null }, reason: 'wrong' });
    for (const seq of [1, 2]) await dead.store.append(dead.line(running.id, seq, { step: 'copy' }));
    // Counted with the progress; the lines themselves have been lost with the process.
    await dead.store.update(running.id, dead.owner, { messageCount: 5, step: 'copy', criticalSection: 'rename' });
    await silence(dead);
    const { host, pid, renewedAt } = await owners.row(dead.store.ownerId);

    expect(await sweepBy(sweeper)).toEqual([running.id, queued.id, cancelling.id].toSorted());

    const text = expect.stringContaining(`the process that ran it (${host}:${pid}, started `) as unknown as string;
    const row = (await sweeper.store.get(running.id))!;
    expect(row).toMatchObject({
      status: 'interrupted',
      reason: 'owner_lost',
      startedAt,
      criticalSection: null,
      step: 'copy',
      messageCount: 3,
      warningCount: 1,
      latestMessage: text,
      error: { name: 'ActivityOwnerLostError', code: 'ACTIVITY_CANCELLED', public: true },
      ownerId: dead.store.ownerId,
      version: 3,
    });
    expect(row.latestMessage).toContain(`was last heard of at ${new Date(renewedAt).toISOString()}`);
    expect(row.endedAt!.getTime()).toBeGreaterThan(startedAt.getTime());
    expect(row.updatedAt.getTime()).toBe(row.endedAt!.getTime());
    expect(await sweeper.store.messages(running.id, { after: 2 })).toMatchObject([
      { seq: 3, level: 'warn', text, source: 'activity', step: 'copy' },
    ]);
    expect(await sweeper.store.get(queued.id)).toMatchObject({
      status: 'interrupted',
      startedAt: null,
      messageCount: 1,
    });
    expect(await sweeper.store.get(cancelling.id)).toMatchObject({
      status: 'interrupted',
      reason: 'owner_lost',
      cancel: { requestedAt, by: { id: 'ada', name: null }, reason: 'wrong' },
    });
    expect(await sweeper.store.get(ended.id)).toMatchObject({ status: 'succeeded' });
    expect(await owners.ids()).toEqual([sweeper.store.ownerId]);
    expect(await sweepBy(sweeper)).toEqual([]);
  });

  it('keeps one that comes back from writing over it [F54] [C102]', async () => {
    const { id } = await dead.run();
    await dead.store.append(dead.line(id, 1));
    await silence(dead);
    await sweepBy(sweeper);
    const before = [await sweeper.store.get(id), await linesOf(id)];
    const { store, owner, line, end } = dead;
    const late = [store.append(line(id, 2)), store.append(line(id, 3)), store.update(id, owner, { step: 'late' })];
    expect(await store.settle(end(id))).toEqual(lostTo('interrupted'));
    await Promise.all(late);
    expect([await sweeper.store.get(id), await linesOf(id)]).toEqual(before);
    expect(await store.renewLease()).toBe('taken');
    expect(await store.lostAmong([{ id, ...owner }])).toMatchObject([{ id, status: 'interrupted' }]);
    // What it begins from now on is its own.
    const next = await dead.run();
    expect(await sweepBy(sweeper)).toEqual([]);
    expect(await store.settle(end(next.id))).toEqual({ won: true });
  });

  it('changes nothing of the living, nor of what a dead one has called or been called by [F57]', async () => {
    const alive = await openStore(options);
    const parent = await alive.run();
    const child = await dead.run({ parentId: parent.id });
    const grandchild = await alive.run({ parentId: child.id });
    const own = await sweeper.run();
    await silence(dead);
    expect(await sweepBy(sweeper)).toEqual([child.id]);
    for (const { id } of [parent, grandchild, own]) {
      expect(await sweeper.store.get(id)).toMatchObject({ status: 'running', version: 1 });
    }
  });

  it('frees the keys of what it ends', async () => {
    const key = { hash: 'a'.repeat(64), kind: 'exclusive', fingerprint: null } as const;
    const holder = dead.activity();
    await dead.store.claim(holder, [{ ...key, from: null }]);
    await silence(dead);
    await sweepBy(sweeper);
    const from = (await sweeper.store.keyHolder(key.hash))!.activityId;
    expect(await sweeper.store.get(from)).toMatchObject({ id: holder.id, status: 'interrupted' });
    expect(await sweeper.store.claim(sweeper.activity(), [{ ...key, from }])).toBe(true);
  });

  it('by a process that has not been heard itself for a lease ends nothing: it may have been the database that was away', async () => {
    const { id } = await dead.run();
    await silence(dead);
    const fresh = await openStore(options);
    expect(await sweepBy(fresh)).toEqual([]);
    // After an outage all leases have run out, its own as well.
    await silence(sweeper);
    expect(await sweepBy(sweeper)).toEqual([]);
    await sweeper.store.renewLease();
    expect(await sweepBy(sweeper)).toEqual([]);
    await owners.change(sweeper.store.ownerId, `steady_since = steady_since - ${LEASE_MS}`);
    expect(await sweepBy(sweeper)).toEqual([id]);
  });

  it('gives a process that has no row a lease to speak [C111]', async () => {
    const { id } = await dead.run();
    await owners.delete(dead.store.ownerId);
    expect(await sweepBy(sweeper)).toEqual([]);
    expect(await owners.row(dead.store.ownerId)).toMatchObject({ host: null, pid: null });
    expect(await dead.store.renewLease()).toBe('taken');
    expect((await owners.row(dead.store.ownerId)).host).not.toBeNull();

    await owners.delete(dead.store.ownerId);
    await owners.query("UPDATE activity_chores SET due_at = 0 WHERE name = 'unknown-owners'", []);
    await sweepBy(sweeper);
    await silence(dead);
    expect(await sweepBy(sweeper)).toEqual([id]);
    expect((await linesOf(id)).at(-1)![1]).toContain('nothing is known of the process that ran it');
  });

  it('leaves alone one that has spoken since it was judged', async () => {
    const { id } = await dead.run();
    await silence(dead);
    const { renewedAt: renewedAtMs } = await owners.row(dead.store.ownerId);
    await dead.store.renewLease();
    const owner = { id: dead.store.ownerId, renewedAtMs };
    expect(
      await owners.database.transact(interruptPlan(owners.database, { owner, ids: [id], text: 'gone' })),
    ).toBeNull();
    expect(await sweeper.store.get(id)).toMatchObject({ status: 'running' });
  });

  it('by three at once, while the owner ends its work, gives each activity one end and one line at most [C112]', async () => {
    const sweepers = [sweeper, await steady(), await steady()];
    const rows = await Promise.all(Array.from({ length: 90 }, () => dead.run()));
    const ids = rows.map(({ id }) => id);
    await silence(dead);
    const { renewedAt: renewedAtMs } = await owners.row(dead.store.ownerId);
    const owner = { id: dead.store.ownerId, renewedAtMs };
    // Without the claim that keeps them apart: as if each had taken over from another that had died.
    const attempts = [0, 30, 60].map(async (from) => {
      const order = [...ids.slice(from), ...ids.slice(0, from)];
      const ended: string[] = [];
      for (let place = 0; place < order.length; place += 10) {
        const step = interruptPlan(owners.database, { owner, ids: order.slice(place, place + 10), text: 'gone' });
        // A deadlock, or a lock that was waited for in vain, is the end of a look; the next one goes on.
        ended.push(...((await owners.database.transact(step).catch(() => [])) ?? []));
      }
      return ended;
    });
    const settling = ids.filter((_, place) => place % 2 === 0).map((id) => dead.store.settle(dead.end(id)));
    const interrupted = (await Promise.all(attempts)).flat();
    const settled = await Promise.all(settling);
    await owners.change(dead.store.ownerId, 'swept_at = NULL');
    interrupted.push(...(await Promise.all(sweepers.map(sweepBy))).flat());

    expect(new Set(interrupted).size).toBe(interrupted.length);
    const won = settled.filter((result) => result.won).length;
    expect(won + interrupted.length).toBe(ids.length);
    const after = await sweeper.store.getAll(ids);
    for (const { id, status, version, messageCount } of after) {
      const isInterrupted = interrupted.includes(id);
      expect({ status, version, messageCount }).toEqual(
        isInterrupted
          ? { status: 'interrupted', version: 2, messageCount: 1 }
          : { status: 'succeeded', version: 2, messageCount: 0 },
      );
      expect(await linesOf(id)).toHaveLength(messageCount);
    }
  });

  it('is left to the one that has begun it, until that has said nothing for a while', async () => {
    const { id } = await dead.run();
    await silence(dead);
    await owners.change(dead.store.ownerId, `swept_at = ${owners.database.now}`);
    expect(await sweepBy(sweeper)).toEqual([]);
    await owners.change(dead.store.ownerId, `swept_at = ${owners.database.now} - 5001`);
    expect(await sweepBy(sweeper)).toEqual([id]);
  });

  it('can be foreseen by an operator: who was last heard of when, and has how much', async () => {
    await Promise.all([dead.run(), dead.run(), dead.run({ status: 'queued' }), dead.run({}, {}), sweeper.run()]);
    await silence(dead);
    const processes = await sweeper.store.processes();
    const { renewedAt, expiresAt } = await owners.row(dead.store.ownerId);
    expect(processes.map(({ id }) => id)).toEqual([dead.store.ownerId, sweeper.store.ownerId]);
    expect(processes).toMatchObject([
      {
        isHere: false,
        isHeard: false,
        running: 2,
        queued: 1,
        renewedAt: new Date(renewedAt),
        expiresAt: new Date(expiresAt),
      },
      { isHere: true, isHeard: true, running: 1, queued: 0, pid: process.pid },
    ]);
  });

  it('ends more than fit into one step', async () => {
    const rows = await Promise.all(Array.from({ length: 1_203 }, () => dead.run()));
    await silence(dead);
    expect(await sweepBy(sweeper)).toEqual(rows.map(({ id }) => id).toSorted());
  });

  if (database.kind !== 'sqlite') {
    it('goes round rows that are locked, as by a process that was stopped in the middle of a transaction', async () => {
      const [locked, ...others] = [await dead.run(), await dead.run(), await dead.run()];
      await silence(dead);
      const stopped = await new DataSource({ ...options, entities: [] }).initialize();
      const runner = stopped.createQueryRunner();
      await runner.startTransaction();
      await runner.query(`SELECT id FROM activities WHERE id = '${locked.id}' FOR UPDATE`);
      try {
        expect(await sweepBy(sweeper)).toEqual(others.map(({ id }) => id).toSorted());
        expect(await owners.ids()).toContain(dead.store.ownerId);
      } finally {
        await runner.rollbackTransaction();
        await runner.release();
        await stopped.destroy();
      }
      await owners.change(dead.store.ownerId, 'swept_at = NULL');
      expect(await sweepBy(sweeper)).toEqual([locked.id]);
    });
  }
});
