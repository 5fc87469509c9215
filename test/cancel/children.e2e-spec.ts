import { EventEmitter } from 'node:events';
import { ActivityDeadlineError, currentActivity, type ActivityContext } from 'nestjs-activity';
import { ActivityRunner } from '../../libs/activity/src/execution/activity-runner.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { deferred } from '../support/deferred.js';

afterEach(closeApps);

const by = { id: 'ada', name: 'Ada' };

function untilAborted({ signal }: ActivityContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

describe('a child', () => {
  it('[F21] is cancelled with its parent, and so are its own children; their rows say who and why', async () => {
    const { activities, probe } = await trackedApp({});
    const waits = ({ sleep }: ActivityContext) => sleep(60_000);
    const work = activities
      .run({ type: 'backup' }, () =>
        Promise.all([
          activities.run({ type: 'files' }, () => activities.run({ type: 'archive' }, waits)),
          activities.run({ type: 'database' }, waits),
        ]),
      )
      .catch((error: unknown) => error);
    const [{ id }] = [await probe.started('backup'), await probe.started('archive'), await probe.started('database')];
    await activities.cancel(id, { by, reason: 'wrong disk' });
    expect(await work).toMatchObject({ abortReason: 'parent', by });
    expect(await probe.settled('backup')).toMatchObject({ status: 'cancelled', reason: 'user' });
    for (const type of ['files', 'archive', 'database']) {
      const row = await probe.settled(type);
      expect(row).toMatchObject({ status: 'cancelled', reason: 'parent', cancel: { by, reason: 'wrong disk' } });
      expect((await probe.lines(row.id))[0]).toContain('cancelled with its parent by Ada: wrong disk');
    }
  });

  it('[F21] is `cancelling` on its row while it cleans up after its parent, and knows that a person asked', async () => {
    const { activities, probe } = await trackedApp({});
    const [end, cleaning] = [deferred(), deferred()];
    const work = activities
      .run({ type: 'parent' }, () =>
        activities.run({ type: 'child' }, async (child) => {
          child.onCancel(async () => {
            cleaning.resolve();
            await end.promise;
          });
          await child.sleep(60_000);
        }),
      )
      .catch(() => undefined);
    const [parent, child] = [await probe.started('parent'), await probe.started('child')];
    await activities.cancel(parent.id, { by });
    await cleaning.promise;
    expect(await activities.cancel(child.id, { by: 'bob' })).toMatchObject({
      outcome: 'repeated',
      activity: { status: 'cancelling', cancel: { by } },
    });
    end.resolve();
    await work;
    expect(await probe.row(child.id)).toMatchObject({ status: 'cancelled', reason: 'parent', cancel: { by } });
  });

  it('[F21] that runs in the background is cancelled with its parent too, unless it was started free', async () => {
    const { activities, probe } = await trackedApp({});
    const [end, ready] = [deferred(), deferred()];
    const waits = (activity: ActivityContext) => Promise.race([end.promise, untilAborted(activity)]);
    const parent = activities
      .run({ type: 'parent' }, async (activity) => {
        await activities.runInBackground({ type: 'child' }, waits);
        await activities.runInBackground({ type: 'free', parentId: null }, waits);
        ready.resolve();
        await activity.sleep(60_000);
      })
      .catch(() => undefined);
    await ready.promise;
    await activities.cancel((await probe.started('parent')).id, { by });
    await parent;
    expect(await probe.settled('child')).toMatchObject({ status: 'cancelled', reason: 'parent', cancel: { by } });
    expect(await probe.row((await probe.started('free')).id)).toMatchObject({ status: 'running', parentId: null });
    end.resolve();
    expect(await probe.settled('free')).toMatchObject({ status: 'succeeded' });
  });

  it('[F21] in the background outlives a parent that ends by itself', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    await activities.run({ type: 'parent' }, () => activities.runInBackground({ type: 'child' }, () => end.promise));
    expect(await probe.settled('parent')).toMatchObject({ status: 'succeeded' });
    end.resolve();
    expect(await probe.settled('child')).toMatchObject({ status: 'succeeded' });
  });

  it('[F21] [F24] that is not cancellable is spared what somebody asks of its parent, but not its deadline', async () => {
    const { activities, probe, get } = await trackedApp({});
    for (const type of ['asked', 'late']) {
      const [end, begun] = [deferred(), deferred()];
      const work = activities
        .run({ type }, (parent) =>
          parent.run({ type: `${type} firm`, cancellable: false }, async (child) => {
            const aborted = untilAborted(child).catch(() => 'aborted');
            begun.resolve();
            return Promise.race([end.promise.then(() => 'ended'), aborted]);
          }),
        )
        .catch((error: unknown) => error);
      const { id } = await probe.started(type);
      await begun.promise;
      if (type === 'asked') {
        await activities.cancel(id, { by });
        end.resolve();
      } else {
        get(ActivityRunner).running.get(id)!.abort(new ActivityDeadlineError(id, 5));
      }
      expect(await work).toBe(type === 'asked' ? 'ended' : 'aborted');
    }
    const firm = await probe.settled('asked firm');
    expect(firm).toMatchObject({ status: 'succeeded', cancel: null });
    expect(await probe.lines(firm.id)).toEqual([expect.stringContaining('it is not cancellable, and goes on')]);
  });

  it('that fails does not end its parent, unless the error is passed on', async () => {
    const { activities, probe } = await trackedApp({});
    const boom = new Error('boom');
    const fails = () => Promise.reject(boom);
    await activities.run({ type: 'catches' }, ({ run }) => run({ type: 'a' }, fails).catch(() => undefined));
    await activities.run({ type: 'passes on' }, ({ run }) => run({ type: 'b' }, fails)).catch(() => undefined);
    expect((await probe.rows()).map(({ type, status }) => [type, status])).toEqual([
      ['catches', 'succeeded'],
      ['a', 'failed'],
      ['passes on', 'failed'],
      ['b', 'failed'],
    ]);
  });
});

describe('activity.run', () => {
  it('runs a child of its activity wherever it is called, with what that has', async () => {
    const { activities, probe } = await trackedApp({});
    const pool = new EventEmitter();
    const answers: string[] = [];
    // A pool calls back in the context of whoever opened it: here, of nobody.
    pool.on('row', (done: (value: unknown) => void, work: () => Promise<unknown>) => done(work()));
    const options = { type: 'import', actor: by, scope: 'eu', batchId: 'night', limit: { key: 'k', max: 1 } };
    const id = await activities.run(options, async (activity) => {
      const inPool = (work: () => Promise<unknown>) =>
        new Promise((done) => queueMicrotask(() => pool.emit('row', done, work)));
      await inPool(() =>
        activity.run({ type: 'row', limit: { key: 'k', max: 1 } }, (child) => {
          answers.push(currentActivity().id === child.id ? 'the child is current' : 'it is not');
          return child.id;
        }),
      );
      return activity.id;
    });
    expect(answers).toEqual(['the child is current']);
    const child = await probe.settled('row');
    expect(child).toMatchObject({ parentId: id, actor: by, scope: 'eu', batchId: 'night', status: 'succeeded' });
  });

  it('is the parent also within another activity, and after its end', async () => {
    const { activities, probe } = await trackedApp({});
    const first = await activities.run({ type: 'first' }, (activity) => activity);
    await activities.run({ type: 'second' }, () => first.run({ type: 'child' }, () => undefined));
    expect(await probe.settled('child')).toMatchObject({ parentId: first.id, status: 'succeeded' });
  });

  it('checks its options before anything is written, and just runs outside an activity', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'parent' }, async ({ run }) => {
      await expect(run({ type: '' }, () => 1)).rejects.toMatchObject({ code: 'ACTIVITY_OPTION_INVALID' });
    });
    expect(await probe.rows()).toHaveLength(1);
    expect(await currentActivity().run({ type: 'x' }, ({ tracked }) => tracked)).toBe(false);
  });
});
