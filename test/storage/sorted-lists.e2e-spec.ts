import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ActivitySummary } from '../../libs/activity/src/model/activity.js';
import type { ActivitySort } from '../../libs/activity/src/model/sorts.js';
import type { ActivityQuery, Settlement } from '../../libs/activity/src/storage/activity-store.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, type OpenStore } from './open-stores.js';

const OLD = 250;
const noon = new Date('2026-11-25T12:00:00.000Z');
const later = (ms: number) => new Date(noon.getTime() + ms);
/** In the order of their characters, whatever a database's language would say. */
const types = ['B', 'Z', 'a', 'a-b', 'a.b', 'a_b', 'z', 'ä', 'é', '日', '🚀'];
const ends: (Partial<Settlement> | undefined)[] = [
  {},
  undefined,
  { status: 'failed', reason: 'error' },
  { status: 'interrupted', reason: 'shutdown' },
];

type Key = number | string | null;

/** What comes first, by what. */
const orders: Record<ActivitySort, { keyOf: (activity: ActivitySummary) => Key; isDescending: boolean }> = {
  '-created': { keyOf: ({ createdAt }) => createdAt.getTime(), isDescending: true },
  '-finished': { keyOf: ({ endedAt }) => endedAt?.getTime() ?? null, isDescending: true },
  '-duration': { keyOf: ({ durationMs }) => durationMs, isDescending: true },
  type: { keyOf: ({ type }) => type, isDescending: false },
  status: { keyOf: ({ status }) => status, isDescending: false },
};

describeEachDatabase('a sorted list', (database) => {
  let under: OpenStore;
  /** Newest first. */
  let old: ActivitySummary[];

  beforeAll(async () => {
    under = await openStore((await database.create(import.meta.url)).options);
    await Promise.all(Array.from({ length: OLD }, (_, n) => one(n)));
    old = await walk({ batchId: 'b' });
  });
  afterAll(closeStores);

  const one = (n: number) => {
    const end = ends[n % ends.length];
    return under.run(
      { createdAt: noon, batchId: 'b', type: types[n % types.length], title: `needle ${n}` },
      // Some end in the same millisecond.
      end && { ...end, endedAt: later(n % 40) },
    );
  };

  /** All pages; `between` is called after each. */
  const walk = async (query: ActivityQuery, between?: () => Promise<unknown>): Promise<ActivitySummary[]> => {
    const all: ActivitySummary[] = [];
    let cursor: string | undefined;
    do {
      const page = await under.store.list({ ...query, cursor });
      expect(page.searchedTo).toBeNull();
      all.push(...page.items);
      cursor = page.nextCursor ?? undefined;
      await between?.();
    } while (cursor);
    return all;
  };

  it.each(Object.keys(orders) as ActivitySort[])(
    'has each row of one millisecond once, in one order on each database, while new ones arrive: %s [C80]',
    async (sort) => {
      let n = 0;
      const found = await walk({ sort, batchId: 'b', search: 'NEEDLE', limit: 30 }, () => one(n++));
      const isOld = new Set(old.map(({ id }) => id));
      expect(found.map(({ id }) => id).filter((id) => isOld.has(id))).toEqual(
        old.toSorted(by(sort)).map(({ id }) => id),
      );
      expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
      const all = await walk({ batchId: 'b', limit: 200 });
      expect(await under.store.count({ batchId: 'b' })).toEqual({ count: all.length, isExact: true });
    },
  );

  it('keeps its order with two conditions, or several values of one', async () => {
    const failed = await walk({ sort: 'type', status: ['failed', 'interrupted'], batchId: 'b', limit: 17 });
    const all = await walk({ batchId: 'b' });
    const expected = all.filter(({ status }) => ['failed', 'interrupted'].includes(status)).toSorted(by('type'));
    expect(failed.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    const ofTypes = await walk({ sort: '-duration', type: ['🚀', 'a'], limit: 9 });
    expect(ofTypes.map(({ id }) => id)).toEqual(
      all
        .filter(({ type }) => type === '🚀' || type === 'a')
        .toSorted(by('-duration'))
        .map(({ id }) => id),
    );
    expect(await walk({ sort: 'type', status: [] })).toEqual([]);
  });

  it('takes the cursor of its own order only, and none that somebody has made up [C81]', async () => {
    const { store } = under;
    const refused = async (query: object) => {
      await expect(store.list(query as ActivityQuery)).rejects.toMatchObject({ code: 'ACTIVITY_QUERY_INVALID' });
    };
    const cursors = await Promise.all(
      (Object.keys(orders) as ActivitySort[]).map(async (sort) => ({
        sort,
        cursor: (await store.list({ sort, limit: 1 })).nextCursor!,
      })),
    );
    for (const { sort, cursor } of cursors) {
      expect((await store.list({ sort, cursor })).items).not.toEqual([]);
      for (const other of cursors) if (other.sort !== sort) await refused({ sort, cursor: other.cursor });
    }
    const { id } = old[0]!;
    const madeUp: unknown[] = [
      ['-finished', 'abc', id, null],
      ['-finished', 1.5, id, null],
      ['-duration', 2 ** 60, id, null],
      ['type', 7, id, null],
      ['type', null, id, null],
      ['type', 'a\0', id, null],
      ['type', 'x'.repeat(129), id, null],
      ['type', 'a', "x' OR '1'='1", null],
      ['type', 'a', id, 'x'],
      ['type', 'a', id],
      ['type', 'a', id, null, 1],
      ['constructor', 'a', id, null],
      ['-created', 1, id, null],
      { sort: 'type' },
      null,
    ];
    for (const value of madeUp) {
      const cursor = Buffer.from(JSON.stringify(value)).toString('base64url');
      for (const { sort } of cursors) await refused({ sort, cursor });
    }
    for (const sort of ['id;DROP', 'error', 'constructor', '__proto__', 'created', '-type', '', 7, null]) {
      await refused({ sort });
    }
  });
});

function by(sort: ActivitySort): (a: ActivitySummary, b: ActivitySummary) => number {
  const { keyOf, isDescending } = orders[sort];
  return (a, b) => {
    const [ka, kb] = [keyOf(a), keyOf(b)];
    if (ka === kb) return a.id < b.id ? 1 : -1;
    if (ka === null || kb === null) return ka === null ? 1 : -1;
    const isLess =
      typeof ka === 'number' ? ka < (kb as number) : Buffer.compare(Buffer.from(ka), Buffer.from(kb as string)) < 0;
    return isLess === isDescending ? 1 : -1;
  };
}
