import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { v4 } from 'uuid';
import type { CheckedRetentionRule } from '../../libs/activity/src/config/retention.options.js';
import type {
  ActivityFilter,
  ActivityQuery,
  MessageQuery,
  Settlement,
} from '../../libs/activity/src/storage/activity-store.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, type OpenStore } from './open-stores.js';

const HOUR = 3_600_000;
const noon = new Date('2026-11-25T12:00:00.000Z');
const before = (ms: number) => new Date(noon.getTime() - ms);

describeEachDatabase('the history', (database) => {
  let options: DataSourceOptions;
  let under: OpenStore;

  beforeAll(async () => {
    ({ options } = await database.create(import.meta.url));
    under = await openStore(options);
  });
  afterEach(async () => {
    await under.store.clearHistory({});
  });
  afterAll(closeStores);

  const idsOf = async (query: ActivityQuery) => (await under.store.list(query)).items.map(({ id }) => id);

  /** With one rule for all: ages count from noon, numbers take whatever has ended. */
  const prune = (rule: CheckedRetentionRule, { dryRun = false } = {}) => {
    const now = rule.maxAge === undefined ? new Date('2100-01-01') : noon;
    return under.store.prune({ rules: [rule], now, minAge: 0, dryRun });
  };

  describe('lists', () => {
    it('newest first, without the bodies', async () => {
      const { store, run } = under;
      const older = await run(
        { createdAt: before(2) },
        {
          result: { big: true },
          status: 'failed',
          reason: 'error',
          error: { name: 'E', message: 'broke', stack: 'at x' },
        },
      );
      const newer = await run({ createdAt: before(1) }, {});
      const { items, nextCursor } = await store.list({});
      expect(items.map(({ id }) => id)).toEqual([newer.id, older.id]);
      expect(nextCursor).toBeNull();
      expect(items[1]).toMatchObject({ errorMessage: 'broke', status: 'failed' });
      for (const body of ['metadata', 'result', 'error']) expect(items[1]).not.toHaveProperty(body);
    });

    it('each of 250 rows of one millisecond once, in one order, while others arrive', async () => {
      const { store, run } = under;
      const old = await Promise.all(
        Array.from({ length: 250 }, (_, index) => run({ createdAt: noon }, index % 2 ? {} : undefined)),
      );
      const seen: string[] = [];
      const newer: Promise<unknown>[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.list({ limit: 20, ...(cursor ? { cursor } : {}) });
        seen.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor ?? undefined;
        newer.push(run({ createdAt: new Date(noon.getTime() + 1) }, {}), run({ createdAt: before(1) }, {}));
        await Promise.all(newer);
      } while (cursor);
      const expected = old
        .map(({ id }) => id)
        .toSorted()
        .toReversed();
      expect(seen.filter((id) => expected.includes(id))).toEqual(expected);
      expect(new Set(seen).size).toBe(seen.length);
      await Promise.all(old.map(({ id }) => store.settle(under.end(id))));
    });

    it('merges several statuses into one order, page by page', async () => {
      const { run } = under;
      const made: string[] = [];
      for (let index = 0; index < 20; index++) {
        const end = [{ status: 'failed', reason: 'error' }, { status: 'interrupted', reason: 'shutdown' }, {}][
          index % 3
        ];
        const { id } = await run({ createdAt: before(100 - index) }, end as Partial<Settlement>);
        if (index % 3 < 2) made.unshift(id);
      }
      const seen: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await under.store.list({ status: ['failed', 'interrupted', 'failed'], limit: 3, cursor });
        seen.push(...page.items.map(({ id }) => id));
        if (page.nextCursor === null) break;
        cursor = page.nextCursor;
      }
      expect(seen).toEqual(made);
    });

    it('counts exactly what a filter finds', async () => {
      const { run, store } = under;
      await Promise.all(Array.from({ length: 7 }, (_, index) => run({ type: index < 3 ? 'a' : 'b' }, {})));
      expect(await store.count({})).toEqual({ count: 7, isExact: true });
      expect(await store.count({ type: 'a', status: ['succeeded', 'failed'] })).toEqual({ count: 3, isExact: true });
      expect(await store.count({ status: [] })).toEqual({ count: 0, isExact: true });
      await expect(store.count({ status: 'sucess' as never })).rejects.toMatchObject({
        code: 'ACTIVITY_QUERY_INVALID',
      });
    });

    it('by a text in any of its texts, whatever the case, wildcards being themselves', async () => {
      const { run, store } = under;
      const titled = await run({ title: 'Import of 50% of Ümlauts' }, {});
      const named = await run({ type: 'x', resource: { type: 'r', id: '1', name: 'docker.io/library/redis' } }, {});
      const failed = await run(
        { type: 'y' },
        { status: 'failed', reason: 'error', error: { name: 'E', message: "can't_do" } },
      );
      const found = async (search: string, filter: ActivityQuery = {}) =>
        (await store.list({ search, ...filter })).items.map(({ id }) => id);
      expect(await found('import OF')).toEqual([titled.id]);
      expect(await found('50%')).toEqual([titled.id]);
      expect(await found('REDIS')).toEqual([named.id]);
      expect(await found('OF ÜMLAUTS')).toEqual([titled.id]);
      expect(await found('Ümlauts')).toEqual([titled.id]);
      expect(await found('umlauts')).toEqual([]);
      expect(await found("'t_d")).toEqual([failed.id]);
      expect(await found('_')).toEqual([failed.id]);
      expect(await found('%%')).toEqual([]);
      expect(await found('!')).toEqual([]);
      expect(await found('i', { status: ['failed', 'cancelled'] })).toEqual([]);
      expect(await found('do', { status: ['failed', 'cancelled'] })).toEqual([failed.id]);
      expect(await store.list({ search: 'redis' })).toMatchObject({ nextCursor: null, searchedTo: null });
      for (const search of ['', 'x'.repeat(201), 7 as never]) {
        await expect(store.list({ search })).rejects.toMatchObject({ code: 'ACTIVITY_QUERY_INVALID' });
      }
    });

    it('by each filter, and by several at once', async () => {
      const { store, run } = under;
      const [a, b, c] = await Promise.all([
        run(
          {
            createdAt: before(3),
            type: 'a',
            scope: 's1',
            resource: { type: 'image', id: 'x' },
            actor: { id: 'u1' },
            batchId: 'b1',
          },
          {},
        ),
        run(
          {
            createdAt: before(2),
            type: 'b',
            scope: 's2',
            resource: { type: 'image', id: 'y' },
            actor: { id: 'u2' },
            parentId: v4(),
          },
          { status: 'failed', reason: 'error' },
        ),
        run({ createdAt: before(1), type: 'c', scope: 's1' }, { status: 'interrupted', reason: 'shutdown' }),
      ]);
      const cases: [ActivityFilter, { id: string }[]][] = [
        [{}, [c, b, a]],
        [{ status: 'failed' }, [b]],
        [{ status: ['failed', 'interrupted'] }, [c, b]],
        [{ status: [] }, []],
        [{ type: ['a', 'c'] }, [c, a]],
        [{ scope: 's1', status: 'succeeded' }, [a]],
        [{ resourceType: 'image' }, [b, a]],
        [{ resourceType: 'image', resourceId: 'y' }, [b]],
        [{ resourceId: undefined, actorId: 'u1' }, [a]],
        [{ actorId: null }, [c]],
        [{ batchId: 'b1' }, [a]],
        [{ batchId: null, resourceType: 'image' }, [b]],
        [{ parentId: b.parentId }, [b]],
        [{ createdFrom: before(2) }, [c, b]],
        [{ createdBefore: before(2) }, [a]],
        [{ createdFrom: before(2), createdBefore: before(1) }, [b]],
        [{ resourceId: "y' OR '1'='1" }, []],
        [{ resourceId: '%' }, []],
        [{ type: 'a\0' }, []],
      ];
      for (const [filter, expected] of cases) {
        expect([filter, await idsOf(filter)]).toEqual([filter, expected.map(({ id }) => id)]);
      }
      expect((await store.list({ limit: 1 })).items).toHaveLength(1);
    });

    it('finds a value that was cut by the whole of it', async () => {
      const id = `sha256:${'f'.repeat(4_000)}`;
      const row = await under.run({ resource: { type: 'layer', id } }, {});
      expect(await idsOf({ resourceId: id })).toEqual([row.id]);
      expect((await under.store.get(row.id))?.resource?.id).toBe(`${id.slice(0, 190)}…`);
    });

    it('takes ids of numbers as their text', async () => {
      const row = await under.run({ actor: { id: 7 as unknown as string } }, {});
      expect(await idsOf({ actorId: '7' })).toEqual([row.id]);
    });

    it('refuses what is not allowed, and says what is', async () => {
      const { store } = under;
      const problemsOf = async (query: object) =>
        store.list(query as ActivityQuery).then(
          () => [],
          (error: { code: string; problems: string[] }) => [error.code, ...error.problems],
        );
      const invalid = 'ACTIVITY_QUERY_INVALID';
      expect(await problemsOf({ limit: 1_000 })).toEqual([invalid, '`limit` is 1000: it must be 1 to 200']);
      for (const limit of [-1, 0, 1.5, Number.NaN, '5', 1e9]) {
        expect(await problemsOf({ limit })).toEqual([invalid, expect.stringContaining('must be 1 to 200')]);
      }
      for (const cursor of ['x', '', '!!!', 'a'.repeat(5_000), Buffer.from('1.2').toString('base64url'), 7]) {
        expect(await problemsOf({ cursor })).toEqual([invalid, expect.stringContaining('must be the `nextCursor`')]);
      }
      for (const status of ['sucess', ['failed', 'sucess'], 7]) {
        expect(await problemsOf({ status })).toEqual([invalid, expect.stringContaining("must be one of 'queued', ")]);
      }
      const many = await problemsOf({ status: Array(1_000).fill('sucess') });
      expect(many).toHaveLength(12);
      expect(many.at(-1)).toBe('… and 990 more');
      expect(await problemsOf({ createdFrom: new Date('abc') })).toEqual([
        invalid,
        expect.stringContaining('must be a valid Date'),
      ]);
      expect(await problemsOf({ order: 'id' })).toEqual([invalid, expect.stringContaining('unknown option `order`')]);
      expect(await problemsOf({ sort: 'id' })).toEqual([
        invalid,
        "`sort` is \"id\": it must be one of '-created', '-finished', '-duration', 'type', 'status'",
      ]);
      for (const query of [{ after: -1 }, { limit: 1_001 }, { level: ['loud'] }, { from: 1 }]) {
        await expect(store.messages(v4(), query as MessageQuery)).rejects.toMatchObject({ code: invalid });
      }
      await expect(store.clearHistory({ status: 'sucess' } as unknown as ActivityFilter)).rejects.toMatchObject({
        code: invalid,
      });
    });
  });

  describe('is cleared', () => {
    it('of what has ended, with its lines, in small steps; what is active is never taken', async () => {
      const { store, run, line } = under;
      const active = await Promise.all([run(), run({ status: 'queued' }), run()]);
      await store.requestCancel(active[2].id, { requestedAt: new Date(), by: null, reason: null });
      const ended = await Promise.all(Array.from({ length: 230 }, () => run()));
      await Promise.all([...ended, active[0]].map(({ id }) => store.append(line(id, 1))));
      await Promise.all(ended.map(({ id }) => store.settle(under.end(id))));
      expect(await store.clearHistory({ status: ['running', 'queued'] })).toBe(0);
      expect(await store.clearHistory({ type: 'other' })).toBe(0);
      expect(await store.clearHistory({})).toBe(230);
      expect(new Set(await idsOf({}))).toEqual(new Set(active.map(({ id }) => id)));
      expect(await store.messages(ended[0]!.id, {})).toEqual([]);
      expect(await store.messages(active[0].id, {})).toHaveLength(1);
      await Promise.all(
        active.map(({ id }) => store.settle(under.end(id, { status: 'interrupted', reason: 'shutdown' }))),
      );
    });

    it('by age from the end, not from the start, to the millisecond [C74] [C83]', async () => {
      const { store, run } = under;
      const rules = { maxAge: 24 * HOUR };
      const justEnded = await run({ createdAt: before(30 * HOUR) }, { endedAt: noon });
      const old = await run({ createdAt: before(31 * HOUR) }, { endedAt: before(24 * HOUR + 1) });
      const onTheEdge = await run({ createdAt: before(31 * HOUR) }, { endedAt: before(24 * HOUR) });
      const active = await run({ createdAt: before(48 * HOUR) });
      expect(await prune(rules, { dryRun: true })).toMatchObject({ activities: 1 });
      expect(await store.get(old.id)).not.toBeNull();
      expect(await prune(rules)).toMatchObject({ activities: 1 });
      expect(await idsOf({})).toEqual([justEnded.id, ...[onTheEdge.id, active.id].toSorted(byCreation(onTheEdge.id))]);
      await store.settle(under.end(active.id));
    });

    it('by count in each scope, newest end first', async () => {
      const { run } = under;
      const scopes = ['a', 'b', 'B', 'ü'];
      const rows = await Promise.all(
        scopes.flatMap((scope) =>
          Array.from({ length: 4 }, (_, age) => run({ scope, createdAt: before(100) }, { endedAt: before(age) })),
        ),
      );
      expect(await prune({ maxCount: 3, maxAge: 2 }, { dryRun: true })).toMatchObject({ activities: 4 });
      expect(await prune({ maxCount: 2 })).toMatchObject({ activities: 8 });
      const kept = rows.filter((_, index) => index % 4 < 2).map(({ id }) => id);
      expect(new Set(await idsOf({}))).toEqual(new Set(kept));
      expect(await prune({})).toMatchObject({ activities: 0 });
      expect(await prune({ maxCount: 0 })).toMatchObject({ activities: 8 });
    });
  });

  describe('is cleared while the application goes on', () => {
    let app: DataSource;
    beforeAll(async () => {
      app = await new DataSource(options).initialize();
    });
    afterAll(() => app.destroy());

    it('past rows with a status that is not ours, which stay', async () => {
      const { store, run } = under;
      const strange = await Promise.all(
        Array.from({ length: 120 }, () => run({ type: 'strange', createdAt: before(9) }, { endedAt: before(5) })),
      );
      await app.query(`UPDATE activities SET status = 'archived' WHERE type = 'strange'`);
      await Promise.all(Array.from({ length: 120 }, () => run({ createdAt: before(9) }, { endedAt: before(1) })));
      expect(await prune({ maxCount: 0 }, { dryRun: true })).toMatchObject({ activities: 120 });
      expect(await prune({ maxAge: 3 })).toMatchObject({ activities: 0 });
      expect(await prune({ maxCount: 120 })).toMatchObject({ activities: 0 });
      expect(await prune({ maxCount: 20 })).toMatchObject({ activities: 100 });
      expect(await store.clearHistory({})).toBe(20);
      expect(await app.query(`SELECT id FROM activities WHERE status = 'archived'`)).toHaveLength(strange.length);
      await app.query(`UPDATE activities SET status = 'succeeded' WHERE type = 'strange'`);
    });

    it('with turns of the event loop between the steps', async () => {
      const { store, run } = under;
      await Promise.all(Array.from({ length: 1_000 }, () => run({}, {})));
      let turns = 0;
      const count = setInterval(() => turns++, 0);
      try {
        expect(await store.clearHistory({})).toBe(1_000);
      } finally {
        clearInterval(count);
      }
      expect(turns).toBeGreaterThanOrEqual(5);
    });
  });

  describe('tells apart', () => {
    it('texts that differ in case, accents or trailing blanks, and ids too [C84]', async () => {
      const { run, store } = under;
      const batches = ['Ab1', 'aB1', 'x', 'x ', 'é', 'e', 'e\u0301'];
      const rows = await Promise.all(
        batches.map((batchId) =>
          run(
            { batchId, scope: batchId, type: batchId, actor: { id: batchId }, resource: { type: 't', id: batchId } },
            {},
          ),
        ),
      );
      for (const [index, value] of batches.entries()) {
        const expected = [rows[index]!.id];
        for (const filter of [
          { batchId: value },
          { scope: value },
          { type: [value] },
          { actorId: value },
          { resourceId: value },
        ]) {
          expect([filter, await idsOf(filter)]).toEqual([filter, expected]);
        }
        expect((await store.get(rows[index]!.id))?.batchId).toBe(value);
      }
      expect(await prune({ maxCount: 0 })).toMatchObject({ activities: batches.length });
    });
  });
});

/** Of two rows created in one millisecond the greater id is first; here both times are 31 h and 48 h ago. */
function byCreation(newer: string) {
  return (a: string) => (a === newer ? -1 : 1);
}
