import { Injectable } from '@nestjs/common';
import {
  ActivityAlreadySettledError,
  ActivityCancelledError,
  ActivityForcedError,
  ActivityNotCancellableError,
  TrackedActivity,
  currentActivity,
  type ActivityContext,
} from 'nestjs-activity';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { deferred } from '../support/deferred.js';

afterEach(closeApps);

const by = { id: 'bob', name: 'Bob' };

describe('a cancel by force', () => {
  it('[F18] ends work that ignores its signal at once, keeps its slot until it comes back, and that changes nothing', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred<string>();
    let signal: AbortSignal | undefined;
    const limit = { key: 'docker', max: 1 };
    const work = activities
      .run({ type: 'deaf', limit }, (activity) => {
        signal = activity.signal;
        return end.promise;
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started('deaf');
    const receipt = await activities.cancel(id, { by, reason: 'stuck', force: true });
    const cancel = { by, reason: 'stuck', requestedAt: expect.any(Date) as Date };
    expect(receipt).toMatchObject({ outcome: 'forced', activity: { status: 'cancelled', reason: 'forced', cancel } });
    expect(signal?.reason).toBeInstanceOf(ActivityForcedError);
    expect(await work).toBe(signal?.reason);
    const row = await probe.row(id);
    expect(row).toMatchObject({ status: 'cancelled', reason: 'forced', cancel });
    expect(await probe.lines(id)).toEqual([
      expect.stringContaining('stopped by force by Bob: stuck') as string,
      expect.stringContaining('may still be running') as string,
    ]);
    const next = activities.run({ type: 'next', limit }, () => 'ran');
    await probe.queued('next');
    end.resolve('at last');
    expect(await next).toBe('ran');
    expect(await probe.row(id)).toEqual(row);
    expect(probe.count('settled', id)).toBe(1);
  });

  it('[F18] escalates an earlier request, whose asker stays on the row', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const work = activities.run({ type: 'deaf' }, () => end.promise).catch((error: unknown) => error);
    const { id } = await probe.started('deaf');
    expect(await activities.cancel(id, { by: 'ada', reason: 'wrong tag' })).toMatchObject({ outcome: 'requested' });
    expect(await activities.cancel(id, { by, force: true })).toMatchObject({ outcome: 'forced' });
    expect(await work).toMatchObject({ abortReason: 'user', by: { id: 'ada' } });
    expect(await probe.row(id)).toMatchObject({
      status: 'cancelled',
      reason: 'forced',
      cancel: { by: { id: 'ada' }, reason: 'wrong tag' },
    });
    expect(await probe.lines(id)).toContainEqual(expect.stringContaining('stopped by force by Bob'));
    await expect(activities.cancel(id, { by, force: true })).rejects.toBeInstanceOf(ActivityAlreadySettledError);
    end.resolve();
  });

  it('[F18] [F20] does not wait for a critical section, nor for a clean-up, whose signal aborts', async () => {
    const { activities, probe } = await trackedApp({});
    const [end, begun, cleaning] = [deferred(), deferred(), deferred<AbortSignal>()];
    const work = activities
      .run({ type: 'deploy' }, ({ uncancellable, onCancel }) => {
        onCancel((_why, { signal }) => {
          cleaning.resolve(signal);
          return end.promise;
        });
        return uncancellable('switch the link', () => {
          begun.resolve();
          return end.promise;
        });
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    await begun.promise;
    await activities.cancel(id, { by: 'ada' });
    const { activity } = await activities.cancel(id, { by, force: true });
    expect(activity).toMatchObject({ status: 'cancelled', reason: 'forced', criticalSection: null });
    expect(await work).toMatchObject({ abortReason: 'forced', by });
    expect((await cleaning.promise).aborted).toBe(true);
    end.resolve();
  });

  it('ends a clean-up that outlasts its work', async () => {
    const { activities, probe } = await trackedApp({});
    const [end, cleaning] = [deferred(), deferred()];
    const work = activities
      .run({ type: 'pull' }, async (activity) => {
        activity.onCancel(() => {
          cleaning.resolve();
          return end.promise;
        });
        await activity.sleep(60_000);
      })
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    await activities.cancel(id);
    await cleaning.promise;
    expect(await activities.cancel(id, { force: true })).toMatchObject({ outcome: 'forced' });
    expect((await probe.lines(id)).at(-1)).toContain('clean-up has not ended');
    end.resolve();
    expect(await work).toMatchObject({ abortReason: 'user' });
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'forced' });
  });

  it('of waiting work is a cancel like any other', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const limit = { key: 'docker', max: 1 };
    const holder = activities.run({ type: 'holder', limit }, () => end.promise);
    const waits = activities.run({ type: 'waits', limit }, () => 'never').catch((error: unknown) => error);
    const { id } = await probe.queued('waits');
    expect(await activities.cancel(id, { by, force: true })).toMatchObject({
      outcome: 'cancelled',
      activity: { status: 'cancelled', reason: 'user', startedAt: null },
    });
    expect(await waits).toMatchObject({ abortReason: 'user' });
    end.resolve();
    await holder;
  });

  it('settles for good what the deadline has aborted, and what has not been called yet', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const late = activities.run({ type: 'late', timeout: 5 }, () => end.promise).catch((error: unknown) => error);
    const { id } = await probe.cancelling('late');
    expect(await activities.cancel(id, { by, force: true })).toMatchObject({
      outcome: 'forced',
      activity: { status: 'cancelled', reason: 'forced', cancel: { by } },
    });
    expect(await late).toMatchObject({ abortReason: 'deadline' });

    let called = false;
    activities.on(({ name, activity }) => {
      if (name === 'started' && activity.type === 'early') void activities.cancel(activity.id, { by, force: true });
    });
    const early = activities.run({ type: 'early' }, () => (called = true));
    await expect(early).rejects.toMatchObject({ abortReason: 'forced' });
    expect(called).toBe(false);
    expect(await probe.settled('early')).toMatchObject({ status: 'cancelled', reason: 'forced' });
    end.resolve();
  });

  it('that comes with the end of the work lets one of the two stand, and says so', async () => {
    const { activities, probe } = await trackedApp({});
    for (let round = 0; round < 20; round++) {
      const end = deferred<string>();
      const type = `race ${round}`;
      const work = activities.run({ type }, () => end.promise).catch((error: unknown) => error);
      const { id } = await probe.started(type);
      const cancel = activities.cancel(id, { force: true }).catch((error: unknown) => error);
      for (let turn = 0; turn < round; turn++) await Promise.resolve();
      end.resolve('done');
      const [answer, value] = await Promise.all([cancel, work]);
      const row = await probe.settled(id);
      expect(probe.count('settled', id)).toBe(1);
      if (row.status === 'succeeded') {
        expect(answer).toBeInstanceOf(ActivityAlreadySettledError);
        expect(value).toBe('done');
      } else {
        expect(row).toMatchObject({ status: 'cancelled', reason: 'forced' });
        expect(answer).toMatchObject({ outcome: 'forced' });
      }
    }
  });

  it('of an activity that another process owns ends its row by itself', async () => {
    const database = { type: 'better-sqlite3' as const, database: ':memory:' };
    const { activities, probe, app } = await trackedApp({}, { database });
    const end = deferred();
    const work = activities.run({ type: 'elsewhere' }, () => end.promise);
    const { id } = await probe.started();
    // As in another process: this one does not know that it runs it.
    const { ActivityRunner } = await import('../../libs/activity/src/execution/activity-runner.js');
    const { running } = app.get(ActivityRunner);
    const here = running.get(id)!;
    running.delete(here);
    expect(await activities.cancel(id, { by, force: true })).toMatchObject({
      outcome: 'forced',
      activity: { status: 'cancelled', reason: 'forced', cancel: { by } },
    });
    running.add(here);
    end.resolve();
    await work;
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'forced' });
  });
});

describe('a type that is not cancellable', () => {
  @Injectable()
  class Ledger {
    readonly end = deferred();
    @TrackedActivity({ type: 'ledger.post', cancellable: false })
    async post() {
      await this.end.promise;
      return currentActivity().signal.aborted;
    }
  }

  it('[F24] says so on its row and in lists, refuses a cancel also by force, and goes on', async () => {
    const { activities, probe, get } = await trackedApp({ providers: [Ledger] });
    const ledger = get(Ledger);
    const work = ledger.post();
    const { id } = await probe.started('ledger.post');
    expect(await probe.row(id)).toMatchObject({ cancellable: false });
    expect((await activities.list()).items).toMatchObject([{ id, cancellable: false }]);
    for (const force of [false, true]) {
      const refused = activities.cancel(id, { by, force });
      await expect(refused).rejects.toBeInstanceOf(ActivityNotCancellableError);
      await expect(refused).rejects.toMatchObject({ type: 'ledger.post', status: 'running' });
    }
    ledger.end.resolve();
    expect(await work).toBe(false);
    expect(await probe.row(id)).toMatchObject({ status: 'succeeded', cancel: null });
  });
});

describe('an escalation without anybody asking for it', () => {
  it('[F18] comes after the grace of the type, with a line that says that the work may still run', async () => {
    const end = deferred();
    @Injectable()
    class Deaf {
      @TrackedActivity({ type: 'short', cancelGrace: '10ms' })
      async short() {
        await end.promise;
      }
      @TrackedActivity({ type: 'long', cancelGrace: '1h' })
      async long() {
        await end.promise;
      }
    }
    const { activities, probe, get } = await trackedApp({ providers: [Deaf] }, { activity: { cancelGrace: '1h' } });
    const [short, long] = [
      get(Deaf)
        .short()
        .catch((error: unknown) => error),
      get(Deaf).long(),
    ];
    const [{ id }, other] = [await probe.started('short'), await probe.started('long')];
    await activities.cancel(other.id);
    await activities.cancel(id);
    expect(await short).toBeInstanceOf(ActivityCancelledError);
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'forced', warningCount: 1 });
    expect((await probe.lines(id)).at(-1)).toContain('may still be running');
    expect(await probe.row(other.id)).toMatchObject({ status: 'cancelling' });
    end.resolve();
    await long;
    expect(await probe.row(other.id)).toMatchObject({ status: 'succeeded' });
  });
});

describe('waiting for the end of a cancel', () => {
  it('gives the ended activity, or says within its time that it has not ended; the request stands', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const run = (type: string, body: (activity: ActivityContext) => Promise<unknown>) =>
      activities.run({ type }, body).catch(() => undefined);
    const slow = run('slow', () => end.promise);
    const { id } = await probe.started('slow');
    const waiting = activities.cancel(id, { by, wait: 'settled', timeout: '20ms' });
    await expect(waiting).rejects.toMatchObject({ code: 'ACTIVITY_WAIT_TIMEOUT', status: 'cancelling', timeoutMs: 20 });
    expect(await probe.row(id)).toMatchObject({ status: 'cancelling', cancel: { by } });
    end.resolve();
    await slow;
    const quick = run('quick', ({ sleep }) => sleep(60_000));
    expect(
      await activities.cancel((await probe.started('quick')).id, { wait: 'settled', timeout: '10s' }),
    ).toMatchObject({
      outcome: 'requested',
      activity: { status: 'cancelled', reason: 'user' },
    });
    await quick;
    await expect(activities.cancel(id, { force: 'yes' as unknown as boolean })).rejects.toThrow('`force` is "yes"');
  });
});
