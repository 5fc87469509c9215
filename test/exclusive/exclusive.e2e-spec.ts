import type { ActivityService } from 'nestjs-activity';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { failureOf } from '../support/failure-of.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describeEachDatabase('an exclusive key', (database) => {
  async function twoApps(activity = {}) {
    const { options } = await database.create(import.meta.url);
    const one = await trackedApp({}, { database: options, activity });
    const two = await trackedApp({}, { database: options, activity });
    return { one, two };
  }

  it('[F46] refuses a second call before its body, in this process and in another, and names the holder', async () => {
    const { one, two } = await twoApps();
    const end = deferred<string>();
    const actor = { id: 'ada', name: 'Ada' };
    const holder = one.activities.run({ type: 'pull', actor, exclusive: 'image:x' }, () => end.promise);
    const { id, startedAt } = await one.probe.started('pull');
    for (const { activities, probe } of [one, two]) {
      let called = false;
      const error = await failureOf(
        activities.run({ type: 'other', exclusive: { key: 'image:x' } }, () => (called = true)),
      );
      expect(error).toMatchObject({
        code: 'ACTIVITY_CONFLICT',
        key: 'image:x',
        type: 'other',
        holder: { id, type: 'pull', actor, status: 'running', startedAt },
      });
      expect(called).toBe(false);
      expect(await probe.rows()).toHaveLength(1);
    }
    end.resolve('done');
    expect(await holder).toBe('done');
    expect(await two.activities.run({ type: 'other', exclusive: 'image:x' }, () => 'mine')).toBe('mine');
    expect(await one.activities.run({ type: 'other', exclusive: 'image:x' }, () => 'again')).toBe('again');
  });

  it('is compared exactly, and stands for one scope only', async () => {
    const { one, two } = await twoApps();
    const end = deferred();
    const keys = ['image:x', 'image:X', 'image:x ', 'imáge:x', '__proto__', 'constructor', 'toString'];
    const works = keys.map((key) => one.activities.run({ type: 'pull', exclusive: key }, () => end.promise));
    await Promise.all(keys.map(() => one.probe.started('pull')));
    expect(await two.activities.run({ type: 'pull', exclusive: 'image:x', scope: 'tenant' }, () => 'ran')).toBe('ran');
    for (const key of keys) {
      expect(await failureOf(two.activities.run({ type: 'pull', exclusive: key }, () => 'ran'))).toMatchObject({
        code: 'ACTIVITY_CONFLICT',
        key,
      });
    }
    end.resolve();
    await Promise.all(works);
  });

  it('is won by exactly one of many that come at once, in two processes', async () => {
    const { one, two } = await twoApps();
    for (let round = 0; round < 5; round++) {
      const end = deferred<string>();
      let bodies = 0;
      const call = ({ activities }: { activities: ActivityService }) =>
        activities.run({ type: 'race', exclusive: 'k' }, () => {
          bodies++;
          return end.promise;
        });
      const calls = Array.from({ length: 20 }, (_, index) => call(index % 2 ? one : two));
      const losers = calls.map((work) => work.catch((error: { code: string }) => error.code));
      let lost = 0;
      for (const loser of losers)
        void loser.then((code) => (code === 'ACTIVITY_CONFLICT' && ++lost === 19 ? end.resolve('won') : 0));
      const results = await Promise.all(losers);
      expect(bodies).toBe(1);
      expect(results.filter((result) => result === 'won')).toHaveLength(1);
    }
    expect(await one.probe.rows()).toHaveLength(5);
  });

  it('queues in the order of the calls, and across processes', async () => {
    const { one, two } = await twoApps();
    const end = deferred();
    const exclusive = { key: 'k', onConflict: 'queue' } as const;
    const order: string[] = [];
    const holder = one.activities.run({ type: 'holder', exclusive }, () => end.promise);
    const { id } = await one.probe.started('holder');
    const here = ['a', 'b', 'c'].map((type) => one.activities.run({ type, exclusive }, () => order.push(type)));
    const there = two.activities.run({ type: 'there', exclusive }, () => order.push('there'));
    const waiting = await one.probe.queued('c');
    await two.probe.queued('there');
    expect(waiting).toMatchObject({ status: 'queued', startedAt: null });
    end.resolve();
    await Promise.all([holder, ...here, there]);
    expect(order.filter((type) => type !== 'there')).toEqual(['a', 'b', 'c']);
    expect(order).toHaveLength(4);
    const rows = (await one.probe.rows()).toSorted((a, b) => a.startedAt!.getTime() - b.startedAt!.getTime());
    for (const [index, row] of rows.slice(1).entries()) {
      expect(row.startedAt!.getTime()).toBeGreaterThanOrEqual(rows[index]!.endedAt!.getTime());
    }
    const { items } = await two.activities.list({ type: 'there' });
    expect(await two.probe.lines(items[0]!.id)).toContain(`Waiting for "k", held by activity ${id} ("holder").`);
  });

  it('gives up waiting at the queue timeout, at a cancel, and lets the next one in', async () => {
    const { one, two } = await twoApps();
    const end = deferred();
    const exclusive = { key: 'k', onConflict: 'queue' } as const;
    const holder = one.activities.run({ type: 'holder', exclusive }, () => end.promise);
    await one.probe.started('holder');
    for (const { activities, probe } of [one, two]) {
      expect(await failureOf(activities.run({ type: 'late', exclusive, queueTimeout: 20 }, () => 'ran'))).toMatchObject(
        { code: 'ACTIVITY_QUEUE_TIMEOUT', limitKey: 'k' },
      );
      const cancelled = failureOf(activities.run({ type: 'cancelled', exclusive }, () => 'ran'));
      await activities.cancel((await probe.queued('cancelled')).id, { by: 'ada' });
      expect(await cancelled).toMatchObject({ abortReason: 'user' });
      expect(await probe.settled('late')).toMatchObject({ status: 'failed', reason: 'queue_timeout', startedAt: null });
    }
    const next = two.activities.run({ type: 'next', exclusive }, () => 'ran');
    await two.probe.queued('next');
    end.resolve();
    await holder;
    expect(await next).toBe('ran');
  });

  it('joins the run that has it: one body, one row, the same value here and the kept one elsewhere', async () => {
    const { one, two } = await twoApps();
    const end = deferred<{ n: number }>();
    const exclusive = { key: 'k', onConflict: 'join' } as const;
    let bodies = 0;
    const body = () => {
      bodies++;
      return end.promise;
    };
    const holder = one.activities.run({ type: 'job', exclusive }, body);
    const { id } = await one.probe.started('job');
    const here = one.activities.run({ type: 'job', exclusive }, body);
    const there = two.activities.run({ type: 'job', exclusive }, body);
    const background = await two.activities.runInBackground({ type: 'job', exclusive }, body);
    expect(background.id).toBe(id);
    const other = failureOf(two.activities.run({ type: 'other', exclusive }, () => 'ran'));
    expect(await other).toMatchObject({ code: 'ACTIVITY_CONFLICT', holder: { id } });
    const value = { n: 1 };
    end.resolve(value);
    expect(await holder).toBe(value);
    expect(await here).toBe(value);
    expect(await there).toEqual(value);
    expect(await background.done).toEqual(value);
    expect(bodies).toBe(1);
    expect(await one.probe.only()).toMatchObject({ id, result: value });
  });

  it('a call that leaves a join does not cancel the one that it joined', async () => {
    const { one, two } = await twoApps();
    const end = deferred<string>();
    const exclusive = { key: 'k', onConflict: 'join' } as const;
    const holder = one.activities.run({ type: 'job', exclusive }, () => end.promise);
    await one.probe.started('job');
    for (const { activities } of [one, two]) {
      const leave = new AbortController();
      const joined = await activities.runInBackground({ type: 'job', exclusive, signal: leave.signal }, () => 'ran');
      leave.abort();
      expect(await failureOf(joined.done)).toMatchObject({ abortReason: 'parent' });
    }
    end.resolve('done');
    expect(await holder).toBe('done');
    expect(await one.probe.only()).toMatchObject({ status: 'succeeded' });
  });

  it('a join shares the failure and the cancel of the one that it joined', async () => {
    const { one, two } = await twoApps();
    const exclusive = { key: 'k', onConflict: 'join' } as const;
    const join = ({ activities }: typeof one) => failureOf(activities.run({ type: 'job', exclusive }, () => 'ran'));
    const own = new Error('own');
    const mayFail = deferred();
    const failing = failureOf(
      one.activities.run({ type: 'job', exclusive }, async () => {
        await mayFail.promise;
        throw own;
      }),
    );
    const { id } = await one.probe.started('job');
    const [here, there] = [join(one), join(two)];
    await two.activities.runInBackground({ type: 'job', exclusive }, () => 'ran');
    mayFail.resolve();
    expect(await failing).toBe(own);
    expect(await here).toBe(own);
    expect(await there).toMatchObject({ code: 'ACTIVITY_FAILED', activityId: id, failure: { message: 'own' } });
  });

  it('supersedes: the older ends first, as superseded by the newer one’s actor, and those between never run', async () => {
    const { one } = await twoApps();
    const exclusive = { key: 'k', onConflict: 'supersede' } as const;
    const [begun, cleanUp] = [deferred(), deferred()];
    const order: string[] = [];
    const first = failureOf(
      one.activities.run({ type: 'first', exclusive }, async ({ sleep }) => {
        begun.resolve();
        try {
          await sleep(60_000);
        } finally {
          await cleanUp.promise;
          order.push('first ended');
        }
      }),
    );
    await begun.promise;
    const second = failureOf(one.activities.run({ type: 'second', exclusive }, () => order.push('second')));
    await one.probe.queued('second');
    const third = one.activities.run({ type: 'third', exclusive, actor: 'grace' }, () => order.push('third'));
    await one.probe.queued('third');
    expect(await second).toMatchObject({ abortReason: 'superseded' });
    cleanUp.resolve();
    await third;
    expect(await first).toMatchObject({ abortReason: 'superseded' });
    expect(order).toEqual(['first ended', 'third']);
    expect(await one.probe.settled('first')).toMatchObject({ status: 'cancelled', reason: 'superseded' });
    const between = await one.probe.settled('second');
    expect(between).toMatchObject({
      status: 'cancelled',
      reason: 'superseded',
      startedAt: null,
      cancel: { by: { id: 'grace' } },
    });
  });

  it('is lent to what runs within its holder, and goes together with a limit', async () => {
    const { one, two } = await twoApps();
    const limit = { key: 'l', max: 1 };
    for (const onConflict of ['reject', 'queue', 'join', 'supersede'] as const) {
      const exclusive = { key: 'k', onConflict };
      const nested = one.activities.run({ type: 'outer', exclusive, limit }, () =>
        one.activities.run({ type: 'inner', exclusive, limit }, () => 'inner'),
      );
      expect(await nested).toBe('inner');
    }
    const exclusive = { key: 'k', onConflict: 'queue' } as const;
    const apps = [one, two];
    const works = Array.from({ length: 12 }, (_, index) =>
      apps[index % 2]!.activities.run({ type: 'both', ...(index % 3 ? { exclusive } : {}), limit }, () => index),
    );
    expect(await Promise.all(works)).toEqual(works.map((_, index) => index));
  });
});
