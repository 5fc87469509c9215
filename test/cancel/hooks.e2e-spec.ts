import {
  ActivityCancelledError,
  ActivityDeadlineError,
  currentActivity,
  type ActivityCancelledError as Cancellation,
  type ActivityContext,
} from 'nestjs-activity';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { deferred } from '../support/deferred.js';

afterEach(closeApps);

/** Work that ends as its signal says. */
function untilAborted({ signal }: ActivityContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

describe('a clean-up of onCancel', () => {
  it('[F19] is called once each, the newest first, and the row settles after them', async () => {
    const { activities, probe } = await trackedApp({});
    const calls: string[] = [];
    const [first, second] = [deferred(), deferred()];
    const begun = { first: deferred(), second: deferred() };
    const work = activities
      .run({ type: 'pull' }, async (activity) => {
        activity.onCancel(async () => {
          calls.push('older');
          begun.first.resolve();
          await first.promise;
        });
        activity.onCancel(async () => {
          calls.push('newer');
          begun.second.resolve();
          await second.promise;
        });
        await untilAborted(activity);
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started('pull');
    await activities.cancel(id, { by: 'ada' });
    await begun.second.promise;
    expect(calls).toEqual(['newer']);
    second.resolve();
    await begun.first.promise;
    expect(calls).toEqual(['newer', 'older']);
    expect(await probe.row(id)).toMatchObject({ status: 'cancelling', endedAt: null });
    first.resolve();
    expect(await work).toBeInstanceOf(ActivityCancelledError);
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user', cancel: { by: { id: 'ada' } } });
    expect(calls).toEqual(['newer', 'older']);
  });

  it('[F19] hears why, runs with its activity as the current one, and its lines are kept', async () => {
    const { activities, probe } = await trackedApp({});
    const heard: [string, Cancellation, boolean][] = [];
    const run = (type: string, more: object = {}) =>
      activities
        .run({ type, ...more }, async (activity) => {
          activity.onCancel((why, { signal }) => {
            currentActivity().log.info(`cleaned up after ${why.abortReason}`);
            heard.push([currentActivity().id === activity.id ? type : 'another', why, signal.aborted]);
          });
          await untilAborted(activity);
        })
        .catch(() => undefined);
    const work = run('by a user');
    await activities.cancel((await probe.started('by a user')).id, { by: 'ada', reason: 'wrong tag' });
    await work;
    await run('late', { timeout: 5 });
    expect(heard).toEqual([
      ['by a user', expect.objectContaining({ abortReason: 'user', userReason: 'wrong tag' }), false],
      ['late', expect.any(ActivityDeadlineError), false],
    ]);
    expect(await probe.lines((await probe.settled('by a user')).id)).toContain('cleaned up after user');
    const late = await probe.settled('late');
    expect(late).toMatchObject({ status: 'failed', reason: 'deadline' });
    expect(await probe.lines(late.id)).toContain('cleaned up after deadline');
  });

  it('[F19] is left when its budget is over, with a line that says so, and its own signal aborts', async () => {
    const { activities, probe } = await trackedApp({});
    const never = deferred();
    let signal: AbortSignal | undefined;
    const after: string[] = [];
    const work = activities
      .run({ type: 'pull' }, async (activity) => {
        activity.onCancel(() => void after.push('the next one all the same'));
        activity.onCancel(
          (_why, options) => {
            signal = options.signal;
            return never.promise;
          },
          { budget: '20ms' },
        );
        await untilAborted(activity);
      })
      .catch(() => undefined);
    const { id } = await probe.started();
    await activities.cancel(id);
    await work;
    expect(after).toEqual(['the next one all the same']);
    expect(signal?.aborted).toBe(true);
    expect((signal?.reason as Error | undefined)?.name).toBe('TimeoutError');
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user', warningCount: 1 });
    expect((await probe.lines(id)).at(-1)).toContain('budget of 20 ms');
    never.resolve();
  });

  it('[F19] has its budget also where the grace of the work is shorter', async () => {
    const { activities, probe } = await trackedApp({});
    const [never, cleaned] = [deferred(), deferred()];
    const work = activities
      .run({ type: 'deaf', cancelGrace: 10 }, async (activity) => {
        activity.onCancel(() => cleaned.promise);
        await never.promise;
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started('deaf');
    await activities.cancel(id);
    // When a later one with the same grace has been given up, this one's grace is over as well.
    const later = activities.run({ type: 'later', cancelGrace: 10 }, () => never.promise).catch(() => undefined);
    await activities.cancel((await probe.started('later')).id);
    await later;
    expect(await probe.settled('later')).toMatchObject({ reason: 'forced' });
    expect(await probe.row(id)).toMatchObject({ status: 'cancelling' });
    cleaned.resolve();
    expect(await work).toBeInstanceOf(ActivityCancelledError);
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'forced' });
    never.resolve();
  });

  it('[F19] that throws is a warning in the log, never the outcome', async () => {
    const { activities, probe } = await trackedApp({});
    const calls: string[] = [];
    const work = activities
      .run({ type: 'returns' }, async (activity) => {
        activity.onCancel(() => void calls.push('older'));
        activity.onCancel(() => Promise.reject(new Error('no such file')));
        activity.onCancel(() => {
          throw new Error('thrown at once');
        });
        await untilAborted(activity).catch(() => undefined);
        return 'all the same';
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    await activities.cancel(id);
    expect(await work).toBe('all the same');
    expect(calls).toEqual(['older']);
    expect(await probe.row(id)).toMatchObject({ status: 'succeeded', reason: null, warningCount: 2 });
    const lines = await probe.lines(id);
    expect(lines.slice(1)).toEqual([
      expect.stringContaining('thrown at once') as string,
      expect.stringContaining('no such file') as string,
    ]);
  });

  it('[F19] runs at once when the abort came first, also in the very turn of the abort', async () => {
    const { activities, probe } = await trackedApp({});
    const calls: string[] = [];
    const work = activities
      .run({ type: 'pull' }, async (activity) => {
        activity.signal.addEventListener('abort', () => activity.onCancel(() => void calls.push('while it aborts')));
        await untilAborted(activity).catch(() => undefined);
        activity.onCancel(() => void calls.push('after it'));
        calls.push('next statement');
        activity.throwIfCancelled();
      })
      .catch(() => undefined);
    await activities.cancel((await probe.started()).id);
    await work;
    expect(calls).toEqual(['while it aborts', 'after it', 'next statement']);
  });

  it('[F19] is not called on a normal end or a failure, nor after it, nor when it was taken away', async () => {
    const { activities, probe } = await trackedApp({});
    const calls: string[] = [];
    const kept: ActivityContext[] = [];
    const body = (activity: ActivityContext) => {
      activity.onCancel(() => void calls.push('called'));
      kept.push(activity);
    };
    await activities.run({ type: 'ends well' }, body);
    await activities
      .run({ type: 'fails' }, (activity) => {
        body(activity);
        throw new Error('boom');
      })
      .catch(() => undefined);
    for (const { onCancel } of kept) onCancel(() => void calls.push('registered late'));
    const work = activities
      .run({ type: 'taken away' }, async (activity) => {
        const takeAway = activity.onCancel(() => void calls.push('taken away'));
        activity.onCancel(() => void calls.push('left'));
        takeAway();
        takeAway();
        await untilAborted(activity);
      })
      .catch(() => undefined);
    await activities.cancel((await probe.started('taken away')).id);
    await work;
    expect(calls).toEqual(['left']);
  });

  it('may start an activity of its own, which the abort that it cleans up after does not cancel', async () => {
    const { activities, probe } = await trackedApp({});
    const work = activities
      .run({ type: 'pull' }, async (activity) => {
        activity.onCancel(async () => {
          await activity.run({ type: 'remove layers' }, () => activity.uncancellable(() => 'removed'));
        });
        await untilAborted(activity);
      })
      .catch(() => undefined);
    const { id } = await probe.started('pull');
    await activities.cancel(id);
    await work;
    expect(await probe.settled('remove layers')).toMatchObject({ status: 'succeeded', parentId: id });
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', warningCount: 0 });
  });

  it('refuses a hook or a budget that is none, and says what is allowed', async () => {
    const { activities } = await trackedApp({});
    await activities.run({ type: 'pull' }, ({ onCancel }) => {
      expect(() => onCancel(() => undefined, { budget: 'soon' as '1s' })).toThrow('`budget` is "soon"');
      expect(() => onCancel('x' as unknown as () => void)).toThrow('it takes a function');
    });
  });

  it('is taken and never called outside an activity', () => {
    const takeAway = currentActivity().onCancel(() => {
      throw new Error('called');
    });
    takeAway();
  });
});
