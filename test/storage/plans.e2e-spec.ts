import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { GENERATED, generateHistory } from '../../bench/generated-history.js';
import { ActivityHistory } from '../../libs/activity/src/storage/activity-history.js';
import { ActivityReader } from '../../libs/activity/src/storage/activity-reader.js';
import type { ActivityFilter, ActivityPage, ActivityQuery } from '../../libs/activity/src/storage/activity-store.js';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import type { Database } from '../../libs/activity/src/storage/database.js';
import { ensureSchema } from '../../libs/activity/src/storage/migrate.js';
import { recentDurations } from '../../libs/activity/src/storage/recent-durations.js';
import { eventually } from '../support/eventually.js';
import { describeEachDatabase } from '../support/databases.js';
import { explain, statementsOf, type Explained } from './explain.js';

const ACTIVITIES = 120_000;
/** A page, its rows looked up by their ids, and what the databases count besides. */
const PAGE = 400;
/** What a list looks at in vain at most, in one statement. */
const FAR = 20_000 + PAGE;
const DAY = 24 * 3_600_000;

const { type, actor, formerActor, tenant, batch, resource } = GENERATED;

/** What is asked, the index that answers it (beside the key, by which rows are looked up), and how far that goes. */
const lists: [query: ActivityQuery, along: string[], atMost: number][] = [
  [{}, [], PAGE],
  [{ createdFrom: new Date(Date.now() - 3 * DAY), createdBefore: new Date(Date.now() - 2 * DAY) }, [], PAGE],
  [{ status: 'failed' }, ['status'], PAGE],
  [{ status: 'interrupted', createdBefore: new Date(Date.now() - 5 * DAY) }, ['status'], PAGE],
  [{ status: ['running', 'queued', 'cancelling', 'failed'] }, ['status'], 2 * PAGE],
  [{ type }, ['type'], PAGE],
  [{ type: ['type.0', type, 'type.none'] }, ['type'], 2 * PAGE],
  [{ actorId: actor }, ['actor'], PAGE],
  [{ actorId: formerActor }, ['actor'], PAGE],
  [{ resourceId: resource }, ['resource'], PAGE],
  [{ resourceId: resource, resourceType: 'image' }, ['resource'], PAGE],
  [{ batchId: batch }, ['batch'], PAGE],
  [{ parentId: '01a00000-0000-7000-8000-000000000000' }, ['parent'], PAGE],
  [{ scope: tenant }, ['scope'], PAGE],
  [{ scope: [tenant, 'tenant-none'] }, ['scope'], PAGE],
  // Half of all: a page is near.
  [{ scope: 'default' }, [], 1_000 + PAGE],
  [{ batchId: null }, [], 1_000 + PAGE],
  [{ search: 'refused' }, [], 1_000 + PAGE],
  // One is followed, what the other leaves out is looked at in vain.
  [{ type, actorId: actor }, ['actor'], PAGE],
  [{ type: 'type.1', actorId: actor }, ['actor'], PAGE],
  [{ type: 'type.none', actorId: formerActor }, ['actor', 'type'], FAR],
  [{ type, status: 'failed' }, ['type', 'status'], FAR],
  [{ type: [type, 'type.0'], status: ['failed', 'cancelled'] }, ['type', 'status'], FAR],
  [{ scope: tenant, status: 'cancelled' }, ['scope', 'status'], FAR],
  [{ resourceType: 'none' }, [], FAR],
  [{ actorId: null }, [], FAR],
  [{ search: 'no such text' }, [], FAR],
  [{ search: 'no such text', type: 'type.0' }, ['type'], FAR],
  [{ search: 'no such text', status: ['failed', 'succeeded'] }, ['status'], FAR + 2 * PAGE],
  [{ sort: '-finished' }, [], FAR],
  [{ sort: '-duration', type: 'type.0' }, ['type'], FAR],
  [{ sort: 'type', status: ['failed', 'cancelled'] }, ['status'], FAR],
  [{ sort: 'status', scope: tenant, search: 'refused' }, ['scope'], FAR],
];

const counts: [filter: ActivityFilter, along: string[]][] = [
  [{}, []],
  [{ status: 'succeeded' }, ['status']],
  [{ type: ['type.0', type] }, ['type']],
  [{ scope: tenant }, ['scope']],
  [{ scope: 'default' }, []],
  [{ scope: tenant, type: 'type.none' }, ['scope', 'type']],
  [{ resourceType: 'none' }, []],
];

describeEachDatabase('read along an index, and no further than was said,', (database) => {
  let opened: Database;
  let reader: ActivityReader;

  beforeAll(async () => {
    const { options } = await database.create(import.meta.url);
    opened = createDatabase(options, '', () => undefined);
    await opened.open();
    await ensureSchema(opened, 'run');
    await generateHistory(opened.dataSource, { activities: ACTIVITIES, linesEach: 1 });
    reader = new ActivityReader(opened.dataSource, opened.entities);
  });
  afterAll(() => opened.close());

  const plansOf = async (work: () => Promise<unknown>, most = Infinity): Promise<Explained[]> => {
    const statements = await statementsOf(opened.dataSource, work);
    expect(statements.length).toBeGreaterThan(0);
    const plans: Explained[] = [];
    for (const statement of statements.slice(0, most)) plans.push(await explain(opened.dataSource, statement));
    return plans;
  };

  /** Statements that go along other indexes than these or the key, or look at more rows; and the first of these if unused. */
  const strays = (plans: readonly Explained[], along: readonly string[], atMost: number): unknown[] => {
    const used = plans.flatMap(({ indexes }) => indexes);
    const unused = along.slice(0, 1).filter((index) => !used.includes(index));
    const beyond = plans.filter(
      ({ scans, indexes, lookedAt = 0 }) =>
        scans || lookedAt > atMost || indexes.some((index) => ![...along, 'key'].includes(index)),
    );
    return [...unused, ...beyond];
  };

  /** Where more than half of the newest rows are looked for, PostgreSQL may read all of them by their key. */
  const bound = (rows: number) => (database.kind === 'postgres' && rows >= FAR ? 2 * rows : rows);

  it.each(lists)('are lists: %j', async (query, along, atMost) => {
    expect(strays(await plansOf(() => reader.list(query)), along, bound(atMost))).toEqual([]);
  });

  it.each(lists.filter(([{ sort, search }]) => !sort && !search).slice(0, 12))(
    'are their further pages: %j',
    async (query, along, atMost) => {
      let cursor: string | undefined;
      for (let page = 0; page < 20; page++) {
        cursor = (await reader.list({ ...query, limit: 5, cursor })).nextCursor ?? cursor;
      }
      expect(strays(await plansOf(() => reader.list({ ...query, cursor })), along, atMost)).toEqual([]);
    },
  );

  it.each(counts)('are counts: %j', async (filter, along) => {
    // MariaDB also counts the 10,000 that it counts.
    expect(strays(await plansOf(() => reader.count(filter)), along, 2 * FAR)).toEqual([]);
  });

  if (database.kind === 'sqlite') {
    it.each(lists)(
      'are lists without statistics, which nobody may have asked for: %j',
      async (query, along, atMost) => {
        await opened.dataSource.query('DELETE FROM sqlite_stat1');
        await opened.dataSource.query('ANALYZE sqlite_schema');
        expect(strays(await plansOf(() => reader.list(query)), along, atMost)).toEqual([]);
      },
    );
  }

  it('are one activity, its log, and how long such ones take', async () => {
    const { items } = await reader.list({ limit: 1 });
    const { id } = items[0]!;
    expect(strays(await plansOf(() => reader.get(id)), ['key'], 1)).toEqual([]);
    expect(strays(await plansOf(() => reader.messages(id, { after: 0, level: ['info'] })), ['key'], 10)).toEqual([]);
    const of = { type, scope: 'default' };
    const durations = () => recentDurations(opened.dataSource, opened.entities, of);
    expect(strays(await plansOf(durations), ['type'], 2_000 + PAGE)).toEqual([]);
  });

  it('is what retention looks at, in pieces', async () => {
    const history = new ActivityHistory(opened.dataSource, opened.entities, (step) => step());
    const rules = [
      { type: [type], maxAge: DAY },
      { maxAge: 5 * DAY, maxCount: 50_000 },
    ];
    const prune = () => history.prune({ rules, now: new Date(), minAge: 0, dryRun: true });
    expect(strays(await plansOf(prune, 10), ['ended'], 500 + PAGE)).toEqual([]);
  });

  it('goes on where a page has looked at all it may', async () => {
    const pages = async (query: ActivityQuery) => {
      const all: ActivityPage[] = [];
      let cursor: string | undefined;
      do {
        all.push(await reader.list({ ...query, cursor }));
        cursor = all.at(-1)!.nextCursor ?? undefined;
      } while (cursor);
      return all;
    };
    const nowhere = await pages({ resourceType: 'none' });
    expect(nowhere.flatMap(({ items }) => items)).toEqual([]);
    const searchedTo = nowhere.map((page) => page.searchedTo?.getTime() ?? 0);
    expect(searchedTo).toHaveLength(ACTIVITIES / 20_000 + 1);
    expect(searchedTo).toEqual(searchedTo.toSorted((a, b) => b - a));
    const titles = (await pages({ search: 'number 7777' })).flatMap(({ items }) => items.map(({ title }) => title));
    expect(titles).toEqual([...Array.from({ length: 10 }, (_, n) => `Number ${77_779 - n}`), 'Number 7777']);
    expect(await reader.count({ resourceType: 'none' })).toEqual({ count: 0, isExact: false });
    expect(await reader.count({ scope: tenant, type: 'type.none' })).toEqual({ count: 0, isExact: true });
  });

  it('sorts the newest 20,000, and says so', async () => {
    const first = await reader.list({ sort: '-duration', limit: 200 });
    const second = await reader.list({ sort: '-duration', limit: 200, cursor: first.nextCursor! });
    expect(second.searchedTo).toEqual(first.searchedTo);
    const { items } = await reader.list({ limit: 1 });
    const oldest = items[0]!.createdAt.getTime() - 19_999 * 10_000;
    expect(first.searchedTo?.getTime()).toBe(oldest);
    const found = [...first.items, ...second.items];
    expect(new Set(found.map(({ id }) => id)).size).toBe(400);
    const durations = found.map(({ durationMs }) => durationMs!);
    expect(durations).toEqual(durations.toSorted((a, b) => b - a));
    for (const { createdAt } of found) expect(createdAt.getTime()).toBeGreaterThanOrEqual(oldest);
  });

  it('is what is deleted by a filter, and with it go keys and lines', async () => {
    const history = new ActivityHistory(opened.dataSource, opened.entities, (step) => step());
    const before = await linesDeleted();
    let cleared = 0;
    const plans = await plansOf(async () => (cleared = await history.clear({ type: 'type.13', status: 'failed' })));
    expect(cleared).toBe(ACTIVITIES / 200);
    const deletes = plans.filter(({ sql }) => sql.startsWith('DELETE'));
    expect(strays(deletes, ['activity'], 0)).toEqual([]);
    expect(
      strays(
        plans.filter(({ sql }) => sql.startsWith('SELECT')),
        ['type'],
        500 + PAGE,
      ),
    ).toEqual([]);
    if (database.kind !== 'postgres') return;
    // The plan of a trigger is not shown, but whether it has scanned the table is counted.
    const after = await eventually(linesDeleted, ({ deleted }) => deleted >= before.deleted + cleared);
    expect(after.scans).toBe(before.scans);
  });

  async function linesDeleted(): Promise<{ scans: number; deleted: number }> {
    if (database.kind !== 'postgres') return { scans: 0, deleted: 0 };
    const [row] = await opened.dataSource.query<[{ seq_scan: string; n_tup_del: string }]>(
      "SELECT seq_scan, n_tup_del FROM pg_stat_user_tables WHERE relname = 'activity_messages'",
    );
    return { scans: Number(row.seq_scan), deleted: Number(row.n_tup_del) };
  }
});
