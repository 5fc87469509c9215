import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Activity } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';
import { describeEachDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { ownersTable, type OwnersTable } from './owners-table.js';
import { ReplicaProcess } from './processes/replica-process.js';

const LEASE_MS = 2_000;
const activity = { lease: LEASE_MS, cancelPoll: 300, shutdownGrace: '5s' } as const;
const patience = { patienceMs: 30_000 };
const limit = { key: 'disk', max: 1 };

describeEachDatabase('real processes', (database) => {
  let options: DataSourceOptions;
  let owners: OwnersTable;
  /** A process that lives all the time: this one. */
  let neighbour: TrackedApp;
  let replicas: ReplicaProcess[];

  beforeEach(async () => {
    ({ options } = await database.create(import.meta.url));
    replicas = [];
    neighbour = await trackedApp({}, { database: options, activity });
    owners = await ownersTable(options);
  });
  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await closeApps();
    await owners.close();
  });

  const replica = (given: { clockAheadMs?: number } = {}) => {
    const started = new ReplicaProcess({ options, activity }, given);
    replicas.push(started);
    return started;
  };
  const row = (id: string) => neighbour.probe.row(id);
  const untilEnded = (id: string) =>
    eventually(
      () => row(id),
      ({ endedAt }) => endedAt !== null,
      patience,
    );
  const ownersKnown = (count: number) =>
    eventually(
      () => owners.ids(),
      (ids) => ids.length === count,
      patience,
    );
  /** Until every process that is there has been renewed for longer than a lease. */
  const untilALeaseLater = async () => {
    const before = await Promise.all((await owners.ids()).map(async (id) => [id, await owners.row(id)] as const));
    for (const [id, { renewedAt }] of before) {
      await eventually(
        () => owners.row(id),
        (later) => later.renewedAt > renewedAt + 1.2 * LEASE_MS,
        patience,
      );
    }
  };
  const interrupted = { status: 'interrupted', reason: 'owner_lost' };

  it('one is killed with one activity running and five waiting, and all of them end soon after its lease [C96] [F53] [F03]', async () => {
    const waiting = neighbour.activities.run({ type: 'own', limit }, (own) => own.sleep(600_000));
    waiting.catch(() => undefined);
    const own = await neighbour.probe.started('own');
    const dying = replica();
    const ids = await dying.start({ work: 'wait', limit, exclusive: 'image:1' }, { count: 1 });
    ids.push(...(await dying.start({ work: 'wait', limit }, { count: 5 })));
    await eventually(
      () => neighbour.probe.lines(ids[0]!),
      (lines) => lines.includes('begun'),
      patience,
    );
    await dying.kill();
    const [ownerId] = [(await row(ids[0]!)).ownerId];
    const { expiresAt } = await owners.row(ownerId);

    for (const [place, id] of ids.entries()) {
      const ended = await untilEnded(id);
      expect(ended).toMatchObject(interrupted);
      expect(ended.startedAt === null).toBe(place > 0);
      expect(ended.endedAt!.getTime() - expiresAt).toBeGreaterThanOrEqual(0);
      expect(neighbour.probe.count('settled', id)).toBeLessThanOrEqual(1);
    }
    await neighbour.probe.times('settled', ids.length);
    const lines = await neighbour.activities.messages(ids[0]!);
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, place) => place + 1));
    expect(lines.at(-1)!.text).toContain(`:${dying.pid}, started`);
    await eventually(
      async () => neighbour.log.warnings('has left behind'),
      ([warning]) => warning?.includes('6 activities') === true,
    );
    await ownersKnown(1);

    // Nothing of it stands in the way of what comes next.
    const next = replica();
    const [again] = await next.start({ work: 'wait', limit, exclusive: 'image:1' });
    next.letGo();
    await next.word('ended', ({ id, error }) => id === again && error === null);
    expect(await row(again!)).toMatchObject({ status: 'succeeded' });
    expect(await row(own.id)).toMatchObject({ status: 'running', version: own.version });
  }, 90_000);

  it('one is stopped for longer than its lease and goes on: its work is aborted, and it writes over nothing [C102] [F54] [F55]', async () => {
    const stopped = replica();
    const ids = [...(await stopped.start({ work: 'wait', limit })), ...(await stopped.start({ work: 'wait', limit }))];
    stopped.stop();
    const ended: Activity[] = [];
    for (const id of ids) ended.push(await untilEnded(id));
    for (const one of ended) expect(one).toMatchObject(interrupted);
    stopped.goOn();
    for (const id of ids) {
      expect(await stopped.word('aborted', (word) => word.id === id)).toMatchObject({ reason: 'owner_lost' });
      await stopped.word('ended', (word) => word.id === id);
    }
    expect(stopped.warnings('was stalled for')).toHaveLength(1);
    expect(stopped.warnings('2 of its activities have been interrupted')).toHaveLength(1);
    // It is one of them again.
    await ownersKnown(2);
    const [next] = await stopped.start({ work: 'wait', limit });
    await untilALeaseLater();
    stopped.letGo();
    await stopped.word('ended', ({ id, error }) => id === next && error === null);
    expect(await row(next!)).toMatchObject({ status: 'succeeded' });
    for (const one of ended) expect(await row(one.id)).toEqual(one);
  }, 90_000);

  it('one blocks its event loop for longer than its lease: what it has then done in vain does not become a success [C102] [F54]', async () => {
    const blocked = replica();
    const [beside] = await blocked.start({ work: 'wait' });
    const [blocking] = await blocked.start({ work: 'block', ms: 2.5 * LEASE_MS });
    const ended = await untilEnded(blocking!);
    expect(ended).toMatchObject(interrupted);
    expect(await untilEnded(beside!)).toMatchObject(interrupted);
    // The caller has its value all the same: the work was done.
    expect(await blocked.word('ended', ({ id }) => id === blocking)).toMatchObject({ error: null });
    expect(await blocked.word('aborted', ({ id }) => id === beside)).toMatchObject({ reason: 'owner_lost' });
    const [stall, ...others] = blocked.warnings('was stalled for');
    expect(Number(/for ([\d.]+) s/.exec(stall!)?.[1])).toBeCloseTo((2.5 * LEASE_MS) / 1_000, 0);
    expect(others).toEqual([]);
    await untilALeaseLater();
    expect(await row(blocking!)).toEqual(ended);
  }, 90_000);

  it('one blocks its event loop for less than its lease, or computes in pieces, and loses nothing [F56]', async () => {
    const busy = replica();
    const [beside] = await busy.start({ work: 'wait' });
    const [short] = await busy.start({ work: 'block', ms: LEASE_MS * 0.6 });
    await busy.word('ended', ({ id }) => id === short);
    const [long] = await busy.start({ work: 'grind', ms: 2.5 * LEASE_MS });
    expect(await busy.word('ended', ({ id }) => id === long)).toMatchObject({ error: null });
    for (const id of [short!, long!]) expect(await row(id)).toMatchObject({ status: 'succeeded' });
    expect(await row(beside!)).toMatchObject({ status: 'running' });
    const lines = await neighbour.probe.lines(beside!);
    expect(lines.filter((text) => /^The process was stalled for [\d.]+ s\.$/.test(text))).toHaveLength(1);
  }, 90_000);

  it('one has a clock that is ten minutes ahead: it is neither taken for dead, nor takes others for it [C103]', async () => {
    const ahead = replica({ clockAheadMs: 600_000 });
    expect((await ahead.word('ready')).time - Date.now()).toBeGreaterThan(500_000);
    const [theirs] = await ahead.start({ work: 'wait' });
    const work = neighbour.activities.run({ type: 'own' }, (own) => own.sleep(600_000));
    work.catch(() => undefined);
    const own = await neighbour.probe.started('own');
    await untilALeaseLater();
    for (const id of [own.id, theirs!]) expect(await row(id)).toMatchObject({ status: 'running' });
    await ahead.kill();
    expect(await untilEnded(theirs!)).toMatchObject(interrupted);
    expect(await row(own.id)).toMatchObject({ status: 'running', version: own.version });
  }, 90_000);

  it('some come and go, and change nothing of what the others run [F57]', async () => {
    const [living, leaving] = [replica(), replica()];
    const ids = [...(await living.start({ work: 'wait', limit })), ...(await living.start({ work: 'wait', limit }))];
    await leaving.start({ work: 'wait' });
    const before = await Promise.all(ids.map(row));
    leaving.letGo();
    await leaving.close();
    const coming = replica();
    await coming.word('ready');
    await ownersKnown(3);
    await untilALeaseLater();
    await coming.close();
    expect(await Promise.all(ids.map(row))).toMatchObject(before.map(({ status, ownerId }) => ({ status, ownerId })));
    expect(living.aborted()).toEqual([]);
    await ownersKnown(2);
  }, 90_000);
});
