import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { v4, v7 as uuid } from 'uuid';
import type { Settlement } from '../../libs/activity/src/storage/activity-store.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, type OpenStore } from './open-stores.js';

const by = { id: 'u1', name: 'Uma' };

describeEachDatabase('the store', (database) => {
  let under: OpenStore;
  let app: DataSource;

  beforeAll(async () => {
    const { options } = await database.create(import.meta.url);
    app = await new DataSource(options).initialize();
    under = await openStore(options);
  });
  afterAll(async () => {
    await closeStores();
    await app.destroy();
  });

  describe('keeps an activity', () => {
    it('as it was given, whatever the case of its id', async () => {
      const { store, activity } = under;
      const given = activity({
        title: 'Pull nginx',
        resource: { type: 'image', id: 'nginx:1', name: 'nginx' },
        actor: by,
        batchId: 'b-1',
        parentId: uuid(),
        cancellable: false,
        origin: { kind: 'http', label: 'POST /images', requestId: 'r-1', traceparent: '00-ab-cd-01' },
        limitKey: 'docker',
        metadata: { tag: '1', nested: { list: [1, null, true] } },
      });
      await store.insert(given);
      const { ownerId, fence: _fence, ...rest } = given;
      const stored = await store.get(given.id.toUpperCase());
      expect(stored).toMatchObject({ ...rest, ownerId, version: 1, reason: null, endedAt: null, cancel: null });
      expect(stored).toMatchObject({ durationMs: null, messageCount: 0, error: null, updatedAt: given.createdAt });
      expect(stored).not.toHaveProperty('result');
    });

    it('once, when the same start is written twice', async () => {
      const { store, activity, end } = under;
      const given = activity();
      await store.insert(given);
      await store.settle(end(given.id));
      await store.insert({ ...given, type: 'other' });
      expect(await store.get(given.id)).toMatchObject({ type: 'image.pull', status: 'succeeded' });
    });

    it('with what changes on it, the newest value of several that wait, each write raising the version', async () => {
      const { store, run, owner } = under;
      const { id } = await run();
      await Promise.all([
        store.update(id, owner, { step: 'one', messageCount: 1, progress: progress(10) }),
        store.update(id, owner, { step: 'two', latestMessage: 'hello' }),
        store.update(id, owner, { messageCount: 3, warningCount: 1, errorCount: 1, droppedMessageCount: 1 }),
      ]);
      const changed = await store.get(id);
      expect(changed).toMatchObject({ step: 'two', latestMessage: 'hello', progress: progress(10), version: 2 });
      expect(changed).toMatchObject({ messageCount: 3, warningCount: 1, errorCount: 1, droppedMessageCount: 1 });
      await store.update(id, owner, { step: null, metadata: { a: 1 } });
      expect(await store.get(id)).toMatchObject({ step: null, metadata: { a: 1 }, messageCount: 3, version: 3 });
    });

    it('gives null for an id that is unknown, malformed or far too long, and never an SQL error', async () => {
      const { store, owner, end, line } = under;
      for (const id of [v4(), 'abc', 'x'.repeat(5_000), '', "' OR 1=1 --", 'a\0b']) {
        expect(await store.get(id)).toBeNull();
        expect(await store.messages(id, {})).toEqual([]);
        expect(await store.requestCancel(id, { requestedAt: new Date(), by, reason: null })).toEqual({
          outcome: 'unknown',
        });
        expect(await store.settle(end(id))).toEqual({ won: false, status: null });
        expect(await store.grant(id, owner, new Date())).toEqual({ won: false, status: null });
        await store.append(line(id, 1));
        await store.update(id, owner, { step: 'x' });
      }
      await expect(store.insert(under.activity({ id: 'abc' }))).rejects.toThrow('`id` is "abc": it must be a UUID');
    });
  });

  describe('writes a status', () => {
    it('once: the first outcome stands, and the second learns it', async () => {
      const { store, run, end } = under;
      const { id } = await run();
      const at = new Date();
      const results = await Promise.all([
        store.settle(end(id, { status: 'failed', reason: 'error', error: { name: 'E', message: 'x' }, endedAt: at })),
        store.settle(end(id, { endedAt: at })),
        store.settle(end(id, { status: 'failed', reason: 'error', endedAt: at })),
      ]);
      expect(results).toEqual([{ won: true }, lostTo('failed'), lostTo('failed')]);
      expect(await store.get(id)).toMatchObject({ status: 'failed', error: { message: 'x' }, endedAt: at, version: 2 });
    });

    it('only in the order of the transitions', async () => {
      const { store, run, end, owner } = under;
      const { id } = await run({ status: 'queued' });
      expect(await store.settle(end(id))).toEqual(lostTo('queued'));
      const startedAt = new Date();
      expect(await store.grant(id, owner, startedAt)).toEqual({ won: true });
      expect(await store.grant(id, owner, startedAt)).toEqual(lostTo('running'));
      expect(await store.get(id)).toMatchObject({ status: 'running', startedAt });
      expect(await store.settle(end(id))).toEqual({ won: true });
      expect(await store.grant(id, owner, startedAt)).toEqual(lostTo('succeeded'));
    });

    it('only for its owner, and only with the newest fence', async () => {
      const { store, run, end, owner, line } = under;
      const { id } = await run({ fence: 2 });
      for (const stranger of [owner, { ownerId: uuid(), fence: 2 }]) {
        expect(await store.settle(end(id, stranger))).toEqual(lostTo('running'));
        await store.update(id, stranger, { step: 'stolen' });
        await store.append(line(id, 1, stranger));
      }
      expect(await store.get(id)).toMatchObject({ status: 'running', step: null, version: 1 });
      expect(await store.messages(id, {})).toEqual([]);
      expect(await store.settle(end(id, { fence: 2 }))).toEqual({ won: true });
    });

    it('refuses one that is not final before anything is written', async () => {
      const { store, run, end } = under;
      const { id } = await run();
      const misspelt = end(id, { status: 'sucess' as Settlement['status'] });
      await expect(store.settle(misspelt)).rejects.toThrow(
        '`status` is "sucess": it must be one of succeeded, failed, cancelled, interrupted',
      );
      expect(await store.get(id)).toMatchObject({ status: 'running', version: 1 });
    });

    it('with its last values, its error and its result in one write', async () => {
      const { store, run, end } = under;
      const { id } = await run();
      const error = {
        name: 'TypeError',
        message: 'no',
        code: 'E_NO',
        stack: 'at x',
        causes: [{ name: 'E', message: 'why' }],
      };
      await store.settle(
        end(id, {
          status: 'failed',
          reason: 'error',
          error,
          result: { rows: [1, 2] },
          changes: { step: 'last', progress: progress(70) },
        }),
      );
      expect(await store.get(id)).toMatchObject({
        error,
        result: { rows: [1, 2] },
        step: 'last',
        progress: progress(70),
        version: 2,
      });
      expect((await store.list({ limit: 1, type: 'image.pull' })).items[0]).toMatchObject({ errorMessage: 'no (why)' });
    });

    it('keeps a duration of 7 ms, and none is negative when the clock is set back [C18]', async () => {
      const { store, run } = under;
      const at = new Date('2026-11-25T10:00:00.123Z');
      const short = await run({ createdAt: at }, { endedAt: new Date(at.getTime() + 7) });
      expect(await store.get(short.id)).toMatchObject({ startedAt: at, durationMs: 7 });
      const back = await run({ createdAt: at }, { endedAt: new Date(at.getTime() - 2_000) });
      const stored = await store.get(back.id);
      expect(stored).toMatchObject({ durationMs: 0, endedAt: at });
      expect(stored!.updatedAt.getTime()).toBeGreaterThanOrEqual(at.getTime());
    });

    it('decides who was first without trusting a count of affected rows [C75]', async () => {
      // Where the app has asked its driver to count changed rows in place of found ones.
      const flags = database.kind === 'mariadb' ? { flags: ['-FOUND_ROWS'], extra: { flags: ['-FOUND_ROWS'] } } : {};
      const { store, run, end, owner } = await openStore({ ...app.options, ...flags });
      const rows = await Promise.all(Array.from({ length: 20 }, () => run()));
      const at = new Date();
      await Promise.all(rows.slice(0, 10).map(({ id }) => store.settle(end(id, { endedAt: at }))));
      // One batch of hits and misses, the misses with the very same values.
      const results = await Promise.all(rows.map(({ id }) => store.settle(end(id, { endedAt: at }))));
      expect(results.map((result) => result.won)).toEqual(rows.map((_, index) => index >= 10));
      // The same value again, within a second, changes the row all the same.
      const { id } = await run();
      await store.update(id, owner, { step: 'same' });
      await store.update(id, owner, { step: 'same' });
      expect(await store.get(id)).toMatchObject({ version: 3 });
    });
  });

  describe('takes a request to cancel', () => {
    const request = (values = {}) => ({ requestedAt: new Date(), by, reason: 'wrong tag', ...values });

    it('of a running activity: it is cancelling, with who, when and why; a second one changes nothing', async () => {
      const { store, run } = under;
      const { id } = await run();
      const first = request();
      expect(await store.requestCancel(id, first)).toMatchObject({
        outcome: 'requested',
        activity: { status: 'cancelling', cancel: first, endedAt: null },
      });
      const second = await store.requestCancel(id, request({ by: { id: 'u2' }, reason: 'me too' }));
      expect(second).toMatchObject({ outcome: 'repeated', activity: { cancel: first } });
    });

    it('of a waiting activity: it has ended, by a user', async () => {
      const { store, run, owner } = under;
      const { id } = await run({ status: 'queued' });
      expect(await store.requestCancel(id, request())).toMatchObject({
        outcome: 'cancelled',
        activity: { status: 'cancelled', reason: 'user', startedAt: null, durationMs: null },
      });
      expect((await store.get(id))?.endedAt).toBeInstanceOf(Date);
      expect(await store.grant(id, owner, new Date())).toEqual(lostTo('cancelled'));
    });

    it('of an ended or an uncancellable one: nothing changes', async () => {
      const { store, run } = under;
      const ended = await run({}, {});
      expect(await store.requestCancel(ended.id, request())).toMatchObject({
        outcome: 'settled',
        activity: { cancel: null },
      });
      const firm = await run({ cancellable: false });
      expect(await store.requestCancel(firm.id, request())).toMatchObject({
        outcome: 'refused',
        activity: { status: 'running', version: 1 },
      });
    });

    it('from many at once: one of them was first', async () => {
      const { store, run } = under;
      const { id } = await run();
      const same = request();
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.requestCancel(id, same)));
      expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual([
        ...Array<string>(19).fill('repeated'),
        'requested',
      ]);
    });

    it('with the end, where the store was away when it was asked for, and not over an earlier one', async () => {
      const { store, run, end } = under;
      const late = await run();
      const fact = request();
      await store.settle(end(late.id, { status: 'cancelled', reason: 'user', cancel: fact }));
      expect(await store.get(late.id)).toMatchObject({ status: 'cancelled', cancel: fact });
      const early = await run();
      await store.requestCancel(early.id, fact);
      await store.settle(end(early.id, { status: 'cancelled', reason: 'user', cancel: request({ reason: 'later' }) }));
      expect(await store.get(early.id)).toMatchObject({ status: 'cancelled', cancel: fact });
    });
  });

  describe('is told by the owner that work is being stopped', () => {
    const fact = () => ({ requestedAt: new Date(), by, reason: 'wrong tag' });

    it('with who asked or without: it is cancelling, once, and not if it has ended', async () => {
      const { store, run, owner } = under;
      const [asked, late, ended] = [await run(), await run(), await run({}, {})];
      const first = fact();
      await store.markCancelling(asked.id, owner, first);
      await store.markCancelling(asked.id, owner, { ...fact(), reason: 'later' });
      await store.markCancelling(late.id, owner, null);
      await store.markCancelling(ended.id, owner, fact());
      await store.markCancelling(late.id, { ...owner, fence: 2 }, fact());
      expect(await store.get(asked.id)).toMatchObject({ status: 'cancelling', cancel: first, version: 2 });
      expect(await store.get(late.id)).toMatchObject({ status: 'cancelling', cancel: null, version: 2 });
      expect(await store.get(ended.id)).toMatchObject({ status: 'succeeded', cancel: null });
    });

    it('and takes the first request of somebody who asks after that', async () => {
      const { store, run, owner } = under;
      const { id } = await run();
      await store.markCancelling(id, owner, null);
      const first = fact();
      expect(await store.requestCancel(id, first)).toMatchObject({ outcome: 'requested', activity: { cancel: first } });
      expect(await store.requestCancel(id, fact())).toMatchObject({ outcome: 'repeated', activity: { cancel: first } });
    });

    it('many at once, in one batch with their ends', async () => {
      const { store, run, owner, end } = under;
      const rows = await Promise.all(Array.from({ length: 40 }, () => run()));
      await Promise.all(
        rows.flatMap(({ id }, place) => [
          store.markCancelling(id, owner, place % 2 ? fact() : null),
          store.settle(end(id, { status: 'cancelled', reason: 'parent' })),
        ]),
      );
      for (const [place, { id }] of rows.entries()) {
        expect(await store.get(id)).toMatchObject({ status: 'cancelled', cancel: place % 2 ? { by } : null });
      }
    });

    it('and says which critical section it finishes first', async () => {
      const { store, run, owner } = under;
      const { id } = await run();
      await store.update(id, owner, { criticalSection: 'switch the link' });
      const { items } = await store.list({ status: 'running' });
      expect(items.find((item) => item.id === id)).toMatchObject({ criticalSection: 'switch the link' });
      await store.update(id, owner, { criticalSection: null });
      expect(await store.get(id)).toMatchObject({ criticalSection: null });
    });
  });

  it('[F18] ends by force, for anyone, what has been asked to stop and has not', async () => {
    const { store, run, end } = under;
    const fact = { requestedAt: new Date(), by, reason: 'stuck' };
    const [deaf, calm, firm] = [await run(), await run(), await run({ cancellable: false })];
    await store.requestCancel(deaf.id, fact);
    await store.update(deaf.id, under.owner, { criticalSection: 'never ends' });
    expect(await store.forceEnd(deaf.id, new Date(0))).toBe(true);
    const row = await store.get(deaf.id);
    expect(row).toMatchObject({
      status: 'cancelled',
      reason: 'forced',
      cancel: fact,
      criticalSection: null,
      durationMs: 0,
    });
    expect(await store.forceEnd(deaf.id, new Date())).toBe(false);
    expect(await store.settle(end(deaf.id))).toEqual(lostTo('cancelled'));
    expect(await store.get(deaf.id)).toEqual(row);
    for (const { id } of [calm, firm]) expect(await store.forceEnd(id, new Date())).toBe(false);
    expect(await store.forceEnd('none', new Date())).toBe(false);
  });

  describe('keeps a log', () => {
    it('in the order of seq, from any place on, by level', async () => {
      const { store, run, line } = under;
      const { id } = await run();
      await Promise.all([3, 1, 2, 10, 9].map((seq) => store.append(line(id, seq, seq === 9 ? { level: 'warn' } : {}))));
      const seqs = async (query: object) => (await store.messages(id, query)).map(({ seq }) => seq);
      expect(await seqs({})).toEqual([1, 2, 3, 9, 10]);
      expect(await seqs({ after: 2, limit: 2 })).toEqual([3, 9]);
      expect(await seqs({ level: ['warn', 'error'] })).toEqual([9]);
      expect(await seqs({ level: [] })).toEqual([]);
    });

    it('one line for each seq, however often it is written', async () => {
      const { store, run, line } = under;
      const { id } = await run();
      await store.append(line(id, 1, { text: 'first' }));
      await Promise.all([
        store.append(line(id, 1, { text: 'again' })),
        store.append(line(id, 2, { step: 'two', source: 'stdout' })),
      ]);
      expect(await store.messages(id, {})).toMatchObject([
        { activityId: id, seq: 1, text: 'first' },
        { seq: 2, step: 'two', source: 'stdout', level: 'info' },
      ]);
    });

    it('with a range left out and its marker in its place', async () => {
      const { store, run, line, owner } = under;
      const { id } = await run();
      const cut = (fromSeq: number, toSeq: number) =>
        store.trim({
          activityId: id,
          ...owner,
          fromSeq,
          toSeq,
          marker: line(id, toSeq, { text: `cut to ${toSeq}` }).lines[0]!,
        });
      const append = (from: number, to: number) =>
        Array.from({ length: to - from + 1 }, (_, index) => store.append(line(id, from + index)));
      await Promise.all(append(1, 5));
      // Stored lines, lines of the same batch, and the marker of the range before.
      await Promise.all([...append(6, 8), cut(3, 6), ...append(9, 10), cut(6, 8)]);
      expect((await store.messages(id, {})).map(({ text }) => text)).toEqual([
        'line 1',
        'line 2',
        'cut to 8',
        'line 9',
        'line 10',
      ]);
    });

    it('of living activities only: a late line and one of a row that is gone cost nothing but themselves', async () => {
      const { store, run, line, owner, end } = under;
      const [ended, gone, living] = await Promise.all([run({}, {}), run(), run()]);
      await store.append(line(gone.id, 1));
      await app.query(`DELETE FROM activities WHERE id = '${gone.id}'`);
      const results = await Promise.all([
        store.append(line(ended.id, 1)),
        store.update(ended.id, owner, { step: 'late' }),
        store.append(line(gone.id, 2)),
        store.update(gone.id, owner, { step: 'gone' }),
        store.settle(end(gone.id)),
        store.append(line(living.id, 1)),
      ]);
      expect(results[4]).toEqual({ won: false, status: null });
      expect(await store.get(ended.id)).toMatchObject({ step: null, version: 2 });
      expect(await store.messages(living.id, {})).toHaveLength(1);
      expect(await count(app, 'activity_messages', `activity_id IN ('${ended.id}', '${gone.id}')`)).toBe(0);
    });

    it('writes what one activity was told in its order, also within one turn', async () => {
      const { store, activity, line, end, owner } = under;
      const { id } = activity();
      const results = await Promise.all([
        store.insert(activity({ id, status: 'queued' })),
        store.grant(id, owner, new Date()),
        store.append(line(id, 1)),
        store.update(id, owner, { step: 'one' }),
        store.settle(end(id, { changes: { messageCount: 1 } })),
        store.update(id, owner, { step: 'late' }),
        store.append(line(id, 2)),
      ]);
      expect([results[1], results[4]]).toEqual([{ won: true }, { won: true }]);
      expect(await store.get(id)).toMatchObject({ status: 'succeeded', step: 'one', messageCount: 1 });
      expect(await store.messages(id, {})).toHaveLength(1);
    });
  });

  it('takes 1,000 starts, lines and ends at once', async () => {
    const { store, run, line, end } = under;
    const type = 'many.at.once';
    const results = await Promise.all(
      Array.from({ length: 1_000 }, async () => {
        const { id } = await run({ type });
        void store.append(line(id, 1));
        return store.settle(end(id));
      }),
    );
    expect(results.every(({ won }) => won)).toBe(true);
    expect(await count(app, 'activities', `type = '${type}' AND status = 'succeeded' AND version = 2`)).toBe(1_000);
    expect(
      await count(app, 'activity_messages', `activity_id IN (SELECT id FROM activities WHERE type = '${type}')`),
    ).toBe(1_000);
  });

  it('resolves flush when all that was asked for before has been written', async () => {
    const { store, activity, line } = under;
    const given = activity();
    void store.insert(given);
    void store.append(line(given.id, 1));
    await store.flush();
    expect(await store.messages(given.id, {})).toHaveLength(1);
    await store.flush();
  });
});

function progress(percent: number) {
  return { percent, current: percent, total: 100, unit: 'files', perSecond: null };
}

function lostTo(status: string) {
  return { won: false, status };
}

async function count(app: DataSource, table: string, where: string): Promise<number> {
  const [row] = await app.query<{ n: unknown }[]>(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`);
  return Number(row!.n);
}
