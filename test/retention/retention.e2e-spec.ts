import type { RetentionOptions } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';
import { resolveModuleOptions } from '../../libs/activity/src/config/activity-module.options.js';
import type { Retention } from '../../libs/activity/src/config/retention.options.js';
import { RetentionTimer } from '../../libs/activity/src/recovery/retention-timer.js';
import type { ActivityStore } from '../../libs/activity/src/storage/activity-store.js';
import { closeStores, openStore, type OpenStore } from '../storage/open-stores.js';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const quiet = { debug: () => undefined, warn: () => undefined };

describeEachDatabase('retention', (database) => {
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

  const now = new Date();
  const ago = (ms: number) => new Date(now.getTime() - ms);
  const ended = (
    age: number,
    {
      type = 'image.pull',
      scope = 'default',
      status = 'succeeded',
    }: { type?: string; scope?: string; status?: 'succeeded' | 'failed' },
  ) =>
    under.run(
      { type, scope, createdAt: ago(age + MINUTE) },
      { status, reason: status === 'failed' ? 'error' : null, endedAt: ago(age) },
    );
  const prune = (retention: RetentionOptions, more: { dryRun?: boolean; signal?: AbortSignal } = {}) => {
    const { rules, minAge } = resolveModuleOptions({ retention }).retention as Retention;
    return under.store.prune({ rules, minAge, now, dryRun: more.dryRun }, more.signal);
  };
  const left = async () => new Set((await under.store.list({ limit: 200 })).items.map(({ id }) => id));

  it('[F74] [F75] keeps by the first rule that fits: by type, outcome and scope, with what it leaves out as for all', async () => {
    const kept = await Promise.all([
      ended(2 * DAY, {}),
      ended(40 * DAY, { status: 'failed' }),
      ended(400 * DAY, { type: 'billing.charge' }),
      ended(400 * DAY, { scope: 'archive', status: 'failed' }),
      ended(DAY / 2, { type: 'health.check' }),
    ]);
    const gone = await Promise.all([
      ended(31 * DAY, {}),
      ended(100 * DAY, { status: 'failed' }),
      ended(2 * DAY, { type: 'health.check' }),
      // The first rule that fits decides: a check that failed is a check.
      ended(2 * DAY, { type: 'health.check', status: 'failed' }),
      ended(400 * DAY, { type: 'Billing.charge' }),
    ]);
    await under.store.append({ ...under.line(gone[0].id, 1) });
    const retention: RetentionOptions = {
      rules: [
        { type: 'health.*', maxAge: '1d' },
        { type: ['billing.*', 'invoice.send'], maxAge: false },
        { scope: 'archive', maxAge: '5000d' },
        { status: ['failed', 'interrupted'], maxAge: '90d' },
      ],
    };
    const asked = await prune(retention, { dryRun: true });
    expect(asked).toMatchObject({ activities: 5 });
    expect(asked.by.toSorted((a, b) => (a.rule ?? 9) - (b.rule ?? 9))).toEqual([
      { scope: 'default', rule: 0, activities: 2, messages: 0 },
      { scope: 'default', rule: 3, activities: 1, messages: 0 },
      { scope: 'default', rule: null, activities: 2, messages: 0 },
    ]);
    expect((await left()).size).toBe(10);
    expect(await prune(retention)).toEqual(asked);
    expect(await left()).toEqual(new Set(kept.map(({ id }) => id)));
  });

  it('counts the activities of each rule by themselves, in each scope', async () => {
    const rows = async (type: string, scope: string) => {
      const made = [];
      for (let age = 1; age <= 4; age++) made.push((await ended(age * 10 * MINUTE, { type, scope })).id);
      return made;
    };
    const [a, b, c] = [await rows('a', 's'), await rows('b', 's'), await rows('a', 't')];
    expect(await prune({ rules: [{ type: 'a', maxCount: 1 }], maxCount: 3 })).toMatchObject({ activities: 7 });
    expect(await left()).toEqual(new Set([a[0], ...b.slice(0, 3), c[0]]));
  });

  it('never takes what is active, nor what ended a moment ago', async () => {
    const active = await under.run({ createdAt: ago(90 * DAY) });
    const fresh = await ended(MINUTE / 2, {});
    const older = await ended(2 * MINUTE, {});
    await ended(3 * MINUTE, {});
    expect(await prune({ maxCount: 1 })).toMatchObject({ activities: 2 });
    expect(await left()).toEqual(new Set([active.id, fresh.id]));
    expect(await under.store.get(older.id)).toBeNull();
    await under.store.settle(under.end(active.id));
  });

  it('can be stopped between two steps, and goes on the next time', async () => {
    await Promise.all(Array.from({ length: 250 }, () => ended(40 * DAY, {})));
    const stop = new AbortController();
    const first = prune({}, { signal: stop.signal });
    stop.abort();
    const { activities } = await first;
    expect(activities).toBeLessThan(250);
    expect(await prune({})).toMatchObject({ activities: 250 - activities });
  });

  it('counts lines, and takes few of them in one step', async () => {
    const { id } = await under.run({ createdAt: ago(50 * DAY) });
    for (let seq = 1; seq <= 20; seq++) await under.store.append(under.line(id, seq));
    await under.store.settle(under.end(id, { endedAt: ago(40 * DAY), changes: { messageCount: 20 } }));
    expect(await prune({})).toEqual({
      activities: 1,
      messages: 20,
      by: [{ scope: 'default', rule: null, activities: 1, messages: 20 }],
    });
    expect(await under.store.messages(id, {})).toEqual([]);
  });

  it('is the turn of one process at a time, by the clock of the database', async () => {
    const others = await Promise.all([openStore(options), openStore(options)]);
    const claims = async () =>
      (await Promise.all([under, ...others].map(({ store }) => store.claimChore('test', MINUTE)))).filter(Boolean)
        .length;
    expect(await claims()).toBe(1);
    expect(await claims()).toBe(0);
    expect(await under.store.claimChore('another', MINUTE)).toBe(true);
  });

  it('stays the turn of the one process for as long as that takes, and is another’s once it has died', async () => {
    const other = await openStore(options);
    const { retention } = resolveModuleOptions({ retention: { every: 300 } });
    const gate = deferred();
    let kept = 0;
    const slow: ActivityStore = Object.create(under.store, {
      claimChore: { value: (name: string, every: number) => under.store.claimChore(name, every) },
      keepChore: { value: (name: string, every: number) => under.store.keepChore(name, every).then(() => kept++) },
      prune: { value: () => gate.promise.then(() => ({ activities: 0, messages: 0, by: [] })) },
    }) as ActivityStore;
    const timer = new RetentionTimer(retention, slow, quiet);
    const others = new RetentionTimer(retention, other.store, quiet);
    const looking = eventually(() => timer.look(), Boolean);
    // Three times as long as a turn lasts.
    for (let times = 1; times <= 9; times++) {
      await eventually(
        async () => kept,
        (soFar) => soFar >= times,
      );
      expect(await others.look()).toBe(false);
    }
    gate.resolve();
    await looking;
    // Nobody keeps it any more, as when a process has died.
    await eventually(() => others.look(), Boolean);
  });

  it('runs on a timer, which a stop ends', async () => {
    const { id } = await ended(40 * DAY, {});
    const { retention } = resolveModuleOptions({ retention: { every: 5 } });
    const looked = new Promise<void>((resolve) => {
      const timer = new RetentionTimer(retention, under.store, {
        ...quiet,
        debug: () => void timer.stop().then(resolve),
      });
      timer.start();
    });
    await looked;
    expect(await under.store.get(id)).toBeNull();
  });
});

describe('the option retention', () => {
  const wrong: [RetentionOptions, RegExp][] = [
    [{ maxAge: 'soon' as never }, /`retention\.maxAge` is "soon": it must be/],
    [{ maxCount: 0 }, /`retention\.maxCount` is 0: it must be/],
    [{ rules: [{ type: 'a*b' }] }, /`retention\.rules\.0\.type` is "a\*b": it must have its `\*`, if any, at the end/],
    [{ rules: [{ status: 'running' as never }] }, /`retention\.rules\.0\.status` is "running": it must be one of/],
    [{ rules: [{ types: 'a' } as never] }, /unknown option `retention\.rules\.0\.types`/],
    [{ every: -1 }, /`retention\.every` is -1/],
  ];
  it.each(wrong)('refuses %j', (retention, problem) => {
    expect(() => resolveModuleOptions({ retention })).toThrow(problem);
  });
});
