import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, HttpException, Inject, Injectable, Post } from '@nestjs/common';
import {
  ActivityAlreadySettledError,
  ActivityCancelledError,
  ActivityNotFoundError,
  ActivityOwnerLostError,
  ActivityService,
  CurrentActivity,
  TrackedActivity,
  cancelledByUser,
  currentActivity,
  type ActivityContext,
  type ActivityReason,
} from 'nestjs-activity';
import request from 'supertest';
import { ActivityRunner } from '../../libs/activity/src/execution/activity-runner.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { deferred } from '../support/deferred.js';

afterEach(closeApps);

/** Work that ends as its signal says. */
function untilAborted(activity: ActivityContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    activity.signal.addEventListener('abort', () => reject(activity.signal.reason as Error));
  });
}

/** So many turns of the microtask queue. */
async function afterTurns(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

describe('settling an activity', () => {
  it('[F1] tells success, failure and cancel apart, and gives value and error by identity', async () => {
    const { activities, probe } = await trackedApp({});
    const value = { some: 'object' };
    const error = new Error('boom');
    expect(await activities.run({ type: 'good' }, () => value)).toBe(value);
    await expect(activities.run({ type: 'bad' }, () => Promise.reject(error))).rejects.toBe(error);
    const cancelled = activities.run({ type: 'stopped' }, untilAborted);
    await activities.cancel((await probe.started('stopped')).id);
    await expect(cancelled).rejects.toBeInstanceOf(ActivityCancelledError);
    const rows = await probe.rows();
    expect(rows.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['good', 'succeeded', null],
      ['bad', 'failed', 'error'],
      ['stopped', 'cancelled', 'user'],
    ]);
    expect(rows[1]?.error).toMatchObject({ name: 'Error', message: 'boom' });
  });

  it('[C06] settles work that ignores its signal, after the grace and without it', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { cancelGrace: '60ms' } });
    const never = deferred<string>();
    const returned = activities.run({ type: 'returns', cancelGrace: '10s' }, async (activity) => {
      await untilAborted(activity).catch(() => undefined);
      return 'ok';
    });
    await activities.cancel((await probe.started('returns')).id);
    expect(await returned).toBe('ok');
    expect(await probe.settled('returns')).toMatchObject({ status: 'succeeded', reason: null, cancel: { by: null } });

    const deaf = activities.run({ type: 'deaf', limit: { key: 'k', max: 1 } }, () => never.promise);
    const { id } = await probe.started('deaf');
    await activities.cancel(id, { by: 'ada' });
    await expect(deaf).rejects.toBeInstanceOf(ActivityCancelledError);
    const row = await probe.settled(id);
    expect(row).toMatchObject({ status: 'cancelled', reason: 'forced' });
    expect((await probe.lines(id)).at(-1)).toContain('may still be running');

    // The slot is held until the body has really ended.
    const next = activities.run({ type: 'next', limit: { key: 'k', max: 1 } }, () => 'ran');
    await probe.queued('next');
    never.resolve('at last');
    expect(await next).toBe('ran');
    expect(await probe.row(id)).toEqual(row);
  });

  it('[C07] does not abort the signal of a success, in the work or after it', async () => {
    const hasSettled = deferred();
    const later = deferred<unknown>();
    @Controller('hook')
    class HookController {
      @Get()
      answer() {
        return 'still allowed';
      }
    }
    @Injectable()
    class Importer {
      constructor(@Inject(ActivityService) private readonly activities: ActivityService) {}
      @TrackedActivity({ type: 'import' })
      async import(url: string, @CurrentActivity() activity?: ActivityContext) {
        const text = (signal: AbortSignal) => fetch(url, { signal }).then((answer) => answer.text());
        const handle = await this.activities.start({ type: 'part' });
        await handle.succeed();
        const inside = [await text(handle.signal), handle.signal.aborted, activity!.signal.aborted];
        const followUp = async () => {
          await hasSettled.promise;
          const all = [handle, activity!, currentActivity()];
          for (const { log, progress } of all) {
            log.info('follow-up');
            progress(3);
          }
          return {
            answers: await Promise.all(all.map(({ signal }) => text(signal))),
            aborted: all.map(({ signal }) => signal.aborted),
            ambient: currentActivity().id,
          };
        };
        setImmediate(() => void followUp().then(later.resolve, later.reject));
        return { id: activity!.id, inside };
      }
    }
    const { app, probe, get } = await trackedApp({ controllers: [HookController], providers: [Importer] });
    await app.listen(0, '127.0.0.1');
    const { id, inside } = await get(Importer).import(`${await app.getUrl()}/hook`);
    const rows = [await probe.settled('part'), await probe.settled(id)];
    hasSettled.resolve();
    expect(inside).toEqual(['still allowed', false, false]);
    expect(await later.promise).toEqual({
      answers: Array(3).fill('still allowed'),
      aborted: [false, false, false],
      ambient: id,
    });
    expect(await Promise.all(rows.map((row) => probe.row(row.id)))).toEqual(rows);
    expect(rows.map(({ status, messageCount }) => [status, messageCount])).toEqual([
      ['succeeded', 0],
      ['succeeded', 0],
    ]);
  });

  it('[C08] records whatever is thrown with a text, and rethrows the very same', async () => {
    const { activities, probe } = await trackedApp({});
    const thrown = [
      undefined,
      null,
      'text',
      0,
      Object.freeze({ message: 'frozen' }),
      Object.create(null) as object,
      new Error(''),
      new AggregateError([new Error('one'), new Error('two')], 'both'),
    ];
    for (const error of thrown) {
      const caught = await activities
        .run({ type: 'throws' }, () => Promise.reject(error))
        .then(
          () => 'nothing',
          (reason: unknown) => ({ reason }),
        );
      expect(caught).toEqual({ reason: error });
      expect((caught as { reason: unknown }).reason).toBe(error);
    }
    const rows = await probe.rows();
    expect(rows.every((row) => row.status === 'failed' && row.error!.message.length > 0)).toBe(true);
    expect(rows.at(-1)?.latestMessage).toBe('both (one; two)');
  });

  it('[C09] takes an AbortError of anything else for the failure that it is', async () => {
    const { activities, probe } = await trackedApp({});
    const foreign = AbortSignal.timeout(1);
    const abortError = await delay(1_000, undefined, { signal: foreign }).catch((error: unknown) => error);
    expect((abortError as Error).name).toBe('AbortError');
    for (const error of [abortError, new Error('upload failed', { cause: abortError })]) {
      await expect(activities.run({ type: 'upload' }, () => Promise.reject(error as Error))).rejects.toBe(error);
    }
    expect((await probe.rows()).map(({ status, reason }) => [status, reason])).toEqual([
      ['failed', 'error'],
      ['failed', 'error'],
    ]);
  });

  it('[C10] [F12] [F13] [F17] gives the signal an Error as its reason that tells a user, a deadline, a parent, a lost lease and a shutdown apart', async () => {
    const { activities, probe, app } = await trackedApp({});
    const parent = new AbortController();
    const reasons: Record<string, unknown> = {};
    const run = (type: string, more: object = {}): Promise<unknown> =>
      activities
        .run({ type, ...more }, ({ signal, ...activity }) =>
          untilAborted({ signal, ...activity }).catch(() => signal.throwIfAborted()),
        )
        .catch((error: unknown) => (reasons[type] = error));
    const all = Promise.all([
      run('user'),
      run('no words'),
      run('deadline', { timeout: 20 }),
      run('parent', { signal: parent.signal }),
      run('lost lease'),
      run('shutdown'),
    ]);
    await activities.cancel((await probe.started('user')).id, { by: { id: 'u2', name: 'Ada' }, reason: 'superseded' });
    await activities.cancel((await probe.started('no words')).id, { by: undefined, reason: null });
    parent.abort();
    // As a heartbeat will, when it learns that its lease is over.
    const { id } = await probe.started('lost lease');
    app.get(ActivityRunner).running.get(id)!.abort(new ActivityOwnerLostError(id));
    const rows = await Promise.all(
      ['user', 'no words', 'deadline', 'parent', 'lost lease'].map((type) => probe.settled(type)),
    );
    expect(rows.map(({ status, reason, cancel }) => [status, reason, cancel?.by, cancel?.reason])).toEqual([
      ['cancelled', 'user', { id: 'u2', name: 'Ada' }, 'superseded'],
      ['cancelled', 'user', null, null],
      ['failed', 'deadline', undefined, undefined],
      ['cancelled', 'parent', undefined, undefined],
      ['interrupted', 'owner_lost', undefined, undefined],
    ]);
    await probe.started('shutdown');
    const shutdown = new Promise<unknown>((resolve) => {
      activities.on(({ name, activity }) => {
        if (name === 'settled' && activity.type === 'shutdown') resolve(activity);
      });
    });
    await app.close();
    await all;
    for (const reason of Object.values(reasons)) {
      expect(reason).toBeInstanceOf(Error);
      expect(reason).toMatchObject({ code: 'ACTIVITY_CANCELLED' });
    }
    expect(reasons).toMatchObject({
      user: { abortReason: 'user', by: { id: 'u2' }, userReason: 'superseded' },
      'no words': { abortReason: 'user', by: null },
      deadline: { abortReason: 'deadline', timeoutMs: 20 },
      parent: { abortReason: 'parent' },
      'lost lease': { abortReason: 'owner_lost' },
      shutdown: { abortReason: 'shutdown' },
    });
    expect(await shutdown).toMatchObject({ status: 'interrupted', reason: 'shutdown' });
  });

  it('[F14] [F23] writes on the row how it ended: who cancelled and why, or the deadline', async () => {
    const { activities, probe } = await trackedApp({});
    const work = activities.run({ type: 'user' }, untilAborted).catch((error: unknown) => error);
    await activities.cancel((await probe.started('user')).id, { by: { id: 'u2', name: 'Ada' }, reason: 'wrong tag' });
    await work;
    await activities.run({ type: 'slow', timeout: '15ms' }, untilAborted).catch(() => undefined);
    const row = await probe.settled('user');
    expect(row).toMatchObject({
      status: 'cancelled',
      reason: 'user',
      cancel: { by: { id: 'u2', name: 'Ada' }, reason: 'wrong tag' },
    });
    expect(row.cancel!.requestedAt.getTime()).toBeGreaterThanOrEqual(row.startedAt!.getTime());
    expect(await probe.lines(row.id)).toEqual([expect.stringContaining('cancelled by Ada: wrong tag')]);
    expect(await probe.settled('slow')).toMatchObject({ status: 'failed', reason: 'deadline', cancel: null });
  });

  it('[C11] does not call the body of what was aborted before it, and gives its slot back', async () => {
    const { activities, probe } = await trackedApp({});
    let calls = 0;
    const body = (): void => void calls++;
    const parentError = new Error('parent is gone');
    const limit = { key: 'k', max: 1 };
    await expect(
      activities.run({ type: 'aborted parent', signal: AbortSignal.abort(parentError), limit }, body),
    ).rejects.toMatchObject({ abortReason: 'parent' });
    const stopListening = activities.on(({ name, activity }) => {
      if (name === 'started' && activity.type === 'cancelled at start')
        void activities.cancel(activity.id, { by: 'op' });
    });
    await expect(activities.run({ type: 'cancelled at start', limit }, body)).rejects.toMatchObject({
      abortReason: 'user',
    });
    stopListening();
    expect(calls).toBe(0);
    expect((await probe.rows()).map(({ status, reason, startedAt }) => [status, reason, startedAt === null])).toEqual([
      ['cancelled', 'parent', true],
      ['cancelled', 'user', false],
    ]);
    expect(await activities.run({ type: 'next', limit }, () => 'slot is free')).toBe('slot is free');
  });

  it('[C11] never calls a body with a signal that has aborted, however shortly before', async () => {
    const { activities } = await trackedApp({});
    const called: boolean[] = [];
    for (let turns = 0; turns < 30; turns++) {
      const parent = new AbortController();
      const stopListening = activities.on(({ name }) => {
        if (name !== 'started') return;
        // The body follows at once: only who aborts within the event comes before it.
        if (turns === 0) parent.abort();
        else void afterTurns(turns - 1).then(() => parent.abort());
      });
      const { signal } = parent;
      const run = activities.run(
        { type: `after ${turns}`, signal },
        (activity) => void called.push(activity.signal.aborted),
      );
      await run.catch(() => undefined);
      stopListening();
    }
    expect(called).not.toContain(true);
    // Some came in time, or nothing is shown.
    expect(called).toContain(false);
    expect(called.length).toBeLessThan(30);
  });

  it('[C12] answers a cancel that is unknown, too late or repeated, and aborts once for twenty at a time', async () => {
    const { activities, probe } = await trackedApp({});
    await expect(activities.cancel('018f0000-0000-7000-8000-000000000000')).rejects.toBeInstanceOf(
      ActivityNotFoundError,
    );
    await activities.run({ type: 'done' }, () => 1);
    const done = await probe.only();
    const late = activities.cancel(done.id);
    await expect(late).rejects.toBeInstanceOf(ActivityAlreadySettledError);
    await expect(late).rejects.toMatchObject({ status: 'succeeded' });

    let aborts = 0;
    const end = deferred();
    const work = activities
      .run({ type: 'busy' }, async ({ signal, throwIfCancelled }) => {
        signal.addEventListener('abort', () => aborts++);
        await end.promise;
        throwIfCancelled();
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started('busy');
    const receipts = await Promise.all(
      Array.from({ length: 20 }, (_, n) => activities.cancel(id, { by: `u${n}`, reason: `r${n}` })),
    );
    expect(receipts.map((receipt) => receipt.outcome).toSorted()).toEqual([
      ...Array<string>(19).fill('repeated'),
      'requested',
    ]);
    const row = await probe.row(id);
    expect(row).toMatchObject({ status: 'cancelling' });
    end.resolve();
    const reason = (await work) as ActivityCancelledError;
    expect(aborts).toBe(1);
    expect(probe.count('cancelling', id)).toBe(1);
    expect(probe.count('settled', id)).toBe(1);
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', cancel: row.cancel });
    expect(reason.by).toEqual(row.cancel?.by);
  });

  it('[F2] [F10] shows `cancelling` from the request until the work has stopped', async () => {
    const { activities, probe } = await trackedApp({});
    const cleaned = deferred();
    const work = activities
      .run({ type: 'slow to stop' }, async (activity) => {
        await untilAborted(activity).catch(() => undefined);
        await cleaned.promise;
        activity.throwIfCancelled();
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    const { activity } = await activities.cancel(id, { by: 'ada' });
    expect(activity.status).toBe('cancelling');
    expect((await activities.list({ status: 'cancelling' })).items.map((item) => item.id)).toEqual([id]);
    cleaned.resolve();
    await work;
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', cancel: { by: { id: 'ada' } } });
  });

  it('[C14] lets the first of two outcomes stand, says so to the second, and passes the error on', async () => {
    @Controller('double')
    class DoubleController {
      constructor(private readonly activities: ActivityService) {}
      @Post('fail-then-return')
      @TrackedActivity({ type: 'returns' })
      async failThenReturn(): Promise<unknown> {
        const handle = await this.activities.start({ type: 'failed by hand' });
        return { first: await handle.fail('x'), second: await handle.succeed() };
      }
      @Post('succeed-then-throw')
      @TrackedActivity({ type: 'throws' })
      async succeedThenThrow(): Promise<void> {
        const handle = await this.activities.start({ type: 'succeeded by hand' });
        await handle.succeed();
        const error = new HttpException('late trouble', 418);
        if (await handle.fail(error)) throw new Error('the second outcome was taken');
        throw error;
      }
    }
    const { app, probe } = await trackedApp({ controllers: [DoubleController] });
    const http = request(app.getHttpServer());
    await http.post('/double/fail-then-return').expect(201, { first: true, second: false });
    const thrown = await http.post('/double/succeed-then-throw').expect(418);
    expect(thrown.body).toMatchObject({ message: 'late trouble' });
    const rows = [];
    for (const type of ['failed by hand', 'returns', 'succeeded by hand', 'throws']) {
      const row = await probe.settled(type);
      expect(probe.count('settled', row.id)).toBe(1);
      rows.push([row.status, row.reason, row.error?.message]);
    }
    expect(rows).toEqual([
      ['failed', 'error', 'x'],
      ['succeeded', null, undefined],
      ['succeeded', null, undefined],
      ['failed', 'error', 'late trouble'],
    ]);
  });

  it('[C17] refuses a misspelt status before anything is read or written', async () => {
    const { activities } = await trackedApp({});
    await expect(activities.list({ status: 'sucess' as 'succeeded' })).rejects.toMatchObject({
      code: 'ACTIVITY_QUERY_INVALID',
      message: expect.stringContaining('succeeded') as string,
    });
    await expect(activities.clearHistory({ status: 'sucess' as 'succeeded' })).rejects.toMatchObject({
      code: 'ACTIVITY_QUERY_INVALID',
    });
  });

  it('[F4] shows a success with warnings by their count', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'import' }, ({ log }) => {
      log.warn('row 3 is bad');
      log.warn('row 9 is bad');
    });
    expect(await probe.only()).toMatchObject({ status: 'succeeded', warningCount: 2, errorCount: 0, messageCount: 2 });
  });

  it('[F5] refuses a transition that the table does not have', async () => {
    const { activities, probe } = await trackedApp({});
    const handle = await activities.start({ type: 'x' });
    expect(await handle.fail(new Error('first'))).toBe(true);
    for (const settle of [handle.succeed, handle.cancelled, () => handle.fail('again')])
      expect(await settle()).toBe(false);
    await expect(activities.cancel(handle.id)).rejects.toBeInstanceOf(ActivityAlreadySettledError);
    expect(await probe.only()).toMatchObject({ status: 'failed', reason: 'error' satisfies ActivityReason });
  });

  it('[F9] keeps the result where it is asked to, and links it to the row', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'kept', keepResult: true }, () => ({ files: 3, digest: 'ab' }));
    await activities.run({ type: 'not kept' }, () => ({ secret: true }));
    const [kept, other] = await probe.rows();
    expect(kept?.result).toEqual({ files: 3, digest: 'ab' });
    expect(other).not.toHaveProperty('result');
  });

  it('tells a user from a deadline inside the work', async () => {
    const { activities } = await trackedApp({});
    const seen = await activities.run({ type: 'asks', timeout: 10 }, (activity) =>
      untilAborted(activity).catch(() => cancelledByUser(activity.signal)),
    );
    expect(seen).toBe(false);
  });
});
