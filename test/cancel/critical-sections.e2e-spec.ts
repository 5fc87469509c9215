import { ActivityCancelledError, ActivityOwnerLostError, currentActivity, type ActivityContext } from 'nestjs-activity';
import { ActivityRunner } from '../../libs/activity/src/execution/activity-runner.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { deferred } from '../support/deferred.js';

afterEach(closeApps);

/** Runs an activity that is in a section until `end` resolves; `seen` is what the work met after it. */
async function inSection(
  { activities, probe }: TrackedApp,
  { name = 'switch the link', ...options }: { name?: string; timeout?: number; signal?: AbortSignal } = {},
) {
  const [end, begun] = [deferred<string>(), deferred<AbortSignal>()];
  const seen: unknown[] = [];
  const work = activities
    .run({ type: 'deploy', ...options }, async (activity) => {
      const value = await activity.uncancellable(name, async () => {
        begun.resolve(activity.signal);
        return end.promise;
      });
      seen.push(value, activity.signal.aborted);
      activity.throwIfCancelled();
      return value;
    })
    .catch((error: unknown) => error);
  const { id } = await probe.started('deploy');
  return { id, signal: await begun.promise, end, seen, work };
}

describe('a critical section', () => {
  it('[F20] lets a cancel wait: the row says at once who asked and what is finished first', async () => {
    const app = await trackedApp({});
    const { activities, probe } = app;
    const { id, signal, end, seen, work } = await inSection(app);
    const receipt = await activities.cancel(id, { by: { id: 'ada', name: 'Ada' }, reason: 'wrong tag' });
    expect(receipt).toMatchObject({
      outcome: 'requested',
      activity: {
        status: 'cancelling',
        criticalSection: 'switch the link',
        cancel: { by: { id: 'ada', name: 'Ada' }, reason: 'wrong tag' },
      },
    });
    expect((await activities.list({ status: 'cancelling' })).items).toMatchObject([
      { id, criticalSection: 'switch the link' },
    ]);
    expect(await activities.cancel(id, { by: 'bob' })).toMatchObject({
      outcome: 'repeated',
      activity: { criticalSection: 'switch the link', cancel: { by: { id: 'ada' } } },
    });
    expect(signal.aborted).toBe(false);
    end.resolve('switched');
    expect(await work).toBeInstanceOf(ActivityCancelledError);
    expect(seen).toEqual(['switched', true]);
    expect(await probe.row(id)).toMatchObject({
      status: 'cancelled',
      reason: 'user',
      criticalSection: null,
      cancel: { by: { id: 'ada' } },
    });
    expect(await probe.lines(id)).toEqual([
      expect.stringContaining('cancelled by Ada: wrong tag') as string,
      'It finishes a critical step first: switch the link.',
    ]);
    expect(probe.count('cancelling', id)).toBe(1);
  });

  it('[F20] says on the row what it is while nobody cancels, and clears it', async () => {
    const app = await trackedApp({}, { activity: { progressInterval: 1 } });
    const { activities, probe } = app;
    const [inside, after, begun, left] = [deferred(), deferred(), deferred(), deferred()];
    const runner = app.get(ActivityRunner);
    const work = activities.run({ type: 'deploy' }, async ({ uncancellable }) => {
      await uncancellable(async () => {
        begun.resolve();
        await inside.promise;
      });
      left.resolve();
      await after.promise;
    });
    const { id } = await probe.started();
    await begun.promise;
    await runner.running.get(id)!.record.flush();
    expect(await probe.row(id)).toMatchObject({ status: 'running', criticalSection: 'critical step' });
    inside.resolve();
    await left.promise;
    await runner.running.get(id)!.record.flush();
    expect(await probe.row(id)).toMatchObject({ status: 'running', criticalSection: null });
    after.resolve();
    await work;
  });

  it('[F20] that is nested or beside another one makes the abort wait for the last of them', async () => {
    const { activities, probe } = await trackedApp({});
    const ends = { inner: deferred(), outer: deferred(), beside: deferred() };
    const left = { inner: deferred(), outer: deferred() };
    const begun = deferred<AbortSignal>();
    const work = activities
      .run({ type: 'deploy' }, async ({ uncancellable, signal }) => {
        const outer = uncancellable('outer', async () => {
          await uncancellable('inner', () => ends.inner.promise);
          left.inner.resolve();
          await ends.outer.promise;
          // Begun while a cancel waits, within a section that was open before.
          await uncancellable('inner again', () => undefined);
        }).then(left.outer.resolve);
        const beside = uncancellable('beside', () => ends.beside.promise);
        begun.resolve(signal);
        await Promise.all([outer, beside]);
        return signal.aborted;
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    const signal = await begun.promise;
    expect((await activities.cancel(id)).activity.criticalSection).toBe('outer');
    ends.inner.resolve();
    await left.inner.promise;
    expect(signal.aborted).toBe(false);
    ends.outer.resolve();
    await left.outer.promise;
    expect(signal.aborted).toBe(false);
    ends.beside.resolve();
    expect(await work).toBe(true);
    expect(signal.aborted).toBe(true);
    // It had nothing to do any more and returned normally: that is a success.
    expect(await probe.row(id)).toMatchObject({ status: 'succeeded', criticalSection: null });
  });

  it('[F20] is left also when it throws, and its error stands on the row', async () => {
    const { activities, probe } = await trackedApp({});
    const [end, begun] = [deferred(), deferred()];
    const boom = new Error('the link is gone');
    const work = activities
      .run({ type: 'deploy' }, ({ uncancellable }) =>
        uncancellable(async () => {
          begun.resolve();
          await end.promise;
          throw boom;
        }),
      )
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    await begun.promise;
    await activities.cancel(id);
    end.resolve();
    expect(await work).toBe(boom);
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', error: { message: 'the link is gone' } });
  });

  it('[F20] counts as open also within a section of a child that runs in it', async () => {
    const { activities, probe } = await trackedApp({});
    const [go, begun] = [deferred(), deferred()];
    const steps: string[] = [];
    const work = activities
      .run({ type: 'parent' }, async ({ uncancellable, throwIfCancelled }) => {
        await uncancellable(() =>
          activities.run({ type: 'child' }, (child) =>
            child.uncancellable(async () => {
              begun.resolve();
              await go.promise;
              await uncancellable(async () => void steps.push('whole'));
            }),
          ),
        );
        throwIfCancelled();
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started('parent');
    await begun.promise;
    await activities.cancel(id);
    go.resolve();
    expect(await work).toMatchObject({ abortReason: 'user' });
    expect(steps).toEqual(['whole']);
  });

  it('[F20] is not begun once a cancel waits or has come: work made of sections alone does stop', async () => {
    const { activities, probe } = await trackedApp({});
    const [go, begun] = [deferred(), deferred()];
    let batches = 0;
    const work = activities
      .run({ type: 'import' }, async ({ uncancellable }) => {
        for (;;) {
          await uncancellable('write a batch', async () => {
            batches++;
            begun.resolve();
            await go.promise;
          });
        }
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    await begun.promise;
    await activities.cancel(id);
    go.resolve();
    expect(await work).toMatchObject({ abortReason: 'user' });
    expect(batches).toBe(1);
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('[F20] holds back the deadline too, and the first of two reasons stands', async () => {
    const app = await trackedApp({}, { activity: { shutdownGrace: '10s' } });
    const { probe } = app;
    const late = await inSection(app, { timeout: 5 });
    await probe.cancelling(late.id);
    expect(late.signal.aborted).toBe(false);
    await app.get(ActivityRunner).running.get(late.id)!.record.flush();
    expect(await probe.row(late.id)).toMatchObject({
      status: 'cancelling',
      cancel: null,
      criticalSection: 'switch the link',
    });
    // One who asks meanwhile is written down; the deadline was first.
    expect((await app.activities.cancel(late.id, { by: 'ada' })).outcome).toBe('requested');
    late.end.resolve('switched');
    expect(await late.work).toMatchObject({ abortReason: 'deadline' });
    expect(await probe.row(late.id)).toMatchObject({
      status: 'failed',
      reason: 'deadline',
      cancel: { by: { id: 'ada' } },
    });
  });

  it('[F20] lets a shutdown wait within its grace', async () => {
    const app = await trackedApp({}, { activity: { shutdownGrace: '20ms' } });
    const { id, signal, end, work, seen } = await inSection(app);
    const { record } = app.get(ActivityRunner).running.get(id)!;
    const closed = app.app.close();
    await app.probe.cancelling(id);
    expect(signal.aborted).toBe(false);
    end.resolve('switched');
    expect(await work).toMatchObject({ abortReason: 'shutdown' });
    expect(seen).toEqual(['switched', true]);
    await closed;
    expect(record.snapshot()).toMatchObject({ status: 'interrupted', reason: 'shutdown' });
  });

  it('does not hold back a lost lease: another process may have the activity by then', async () => {
    const app = await trackedApp({});
    const { id, signal, end, work } = await inSection(app);
    await app.activities.cancel(id);
    expect(signal.aborted).toBe(false);
    app.get(ActivityRunner).running.get(id)!.abort(new ActivityOwnerLostError(id));
    expect(signal.reason).toBeInstanceOf(ActivityOwnerLostError);
    end.resolve('switched');
    await work;
    expect(await app.probe.settled(id)).toMatchObject({ status: 'interrupted', reason: 'owner_lost' });
  });

  it('whose activity has ended meanwhile changes nothing when it ends', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    let section: Promise<unknown> | undefined;
    const signal = await activities.run({ type: 'deploy' }, ({ uncancellable, signal: own }) => {
      section = uncancellable(() => end.promise);
      return own;
    });
    const row = await probe.only();
    end.resolve();
    await section;
    expect(signal.aborted).toBe(false);
    expect(await probe.only()).toEqual(row);
    expect(row).toMatchObject({ status: 'succeeded', criticalSection: null });
  });

  it('just runs outside an activity, and after the end of one', async () => {
    expect(await currentActivity().uncancellable('any', () => 7)).toBe(7);
    const { activities } = await trackedApp({});
    const ended = await activities.run({ type: 'over' }, (activity: ActivityContext) => activity);
    expect(await ended.uncancellable(() => Promise.resolve(8))).toBe(8);
    await expect(ended.uncancellable('name only' as unknown as () => void)).rejects.toMatchObject({
      code: 'ACTIVITY_OPTION_INVALID',
    });
  });
});
