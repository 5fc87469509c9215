import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Subject } from 'rxjs';
import { deferred } from '../../../../test/support/deferred.js';
import type { ActivityNotice } from '../bus/activity-bus.js';
import type { ForeignChange } from '../storage/activity-store.js';
import { RemoteChanges } from './remote-changes.js';
import { RunningActivities } from './running-activities.js';
import type { RunningActivity } from './running-activity.js';

/** Stands for what runs here: only what is asked of it. */
function activity(id: string) {
  const cancels: unknown[][] = [];
  const ends: unknown[] = [];
  return {
    id,
    settled: false,
    isAsked: false,
    record: { status: 'running' },
    cancels,
    ends,
    cancel(...asked: unknown[]) {
      this.isAsked = true;
      cancels.push(asked);
      return true;
    },
    takeOver(end: unknown) {
      this.settled = true;
      ends.push(end);
    },
  };
}

type Stand = ReturnType<typeof activity>;

function setUp(...activities: Stand[]) {
  const running = new RunningActivities();
  for (const one of activities) running.add(one as unknown as RunningActivity);
  const asked: (readonly string[])[] = [];
  const said: string[] = [];
  let answer: () => Promise<ForeignChange[]> = () => Promise.resolve([]);
  const notices = new Subject<ActivityNotice>();
  const gaps = new Subject<void>();
  const changes = new RemoteChanges({
    running,
    store: {
      foreignChanges: (ids) => {
        asked.push(ids);
        return answer();
      },
    },
    bus: { notices, gaps },
    everyMs: 1_000,
    logger: { debug: (text) => said.push(text) },
  });
  return {
    running,
    changes,
    asked,
    said,
    notices,
    gaps,
    answers: (...found: ForeignChange[]) => (answer = () => Promise.resolve(found)),
    answersWith: (next: () => Promise<ForeignChange[]>) => (answer = next),
  };
}

const cancel = { requestedAt: new Date(), by: null, reason: 'why' };
const asked = (id: string): ForeignChange => ({ id, status: 'cancelling', reason: null, cancel });

describe('changes by other processes', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('are not asked for while nothing runs here, nor for what has ended', async () => {
    const ended = activity('a');
    const { changes, asked: statements, running } = setUp(ended);
    ended.settled = true;
    await changes.poll();
    running.delete(ended as unknown as RunningActivity);
    await changes.poll();
    expect(statements).toEqual([]);
  });

  it('reach each activity once, with who and why', async () => {
    const [one, two, three] = [activity('a'), activity('b'), activity('c')];
    const { changes, answers } = setUp(one, two, three);
    const forced: ForeignChange = { id: 'c', status: 'cancelled', reason: 'forced', cancel };
    answers(asked('a'), { ...asked('b'), reason: 'superseded' }, forced, asked('gone'));
    await changes.poll();
    await changes.poll();
    expect(one.cancels).toEqual([[cancel, 'user']]);
    expect(two.cancels).toEqual([[cancel, 'superseded']]);
    expect(three.ends).toEqual([forced]);
  });

  it('leave what was taken from a silent process to its lease', async () => {
    const one = activity('a');
    const { changes, answers } = setUp(one);
    answers({ id: 'a', status: 'interrupted', reason: 'owner_lost', cancel: null });
    await changes.poll();
    expect(one.ends).toEqual([]);
  });

  it('are asked for by one statement for many notices, never two at once', async () => {
    const { changes, asked: statements, notices, answersWith } = setUp(...['a', 'b', 'c', 'd'].map(activity));
    changes.start();
    const [first, second] = [deferred<ForeignChange[]>(), deferred<ForeignChange[]>()];
    const answers = [first.promise, second.promise];
    answersWith(() => answers.shift()!);
    notices.next({ kind: 'cancel', activityId: 'a' });
    notices.next({ kind: 'cancel', activityId: 'b' });
    notices.next({ kind: 'settled', activityId: 'of another process' });
    const polled = changes.poll();
    await Promise.resolve();
    expect(statements).toEqual([['a', 'b', 'c', 'd']]);
    notices.next({ kind: 'cancel', activityId: 'c' });
    notices.next({ kind: 'settled', activityId: 'd' });
    expect(statements).toHaveLength(1);
    first.resolve([]);
    await Promise.resolve();
    second.resolve([]);
    await polled;
    expect(statements).toEqual([
      ['a', 'b', 'c', 'd'],
      ['c', 'd'],
    ]);
    changes.stop();
  });

  it('are polled at once when notices may have been missed', async () => {
    const { changes, asked: statements, gaps } = setUp(activity('a'));
    changes.start();
    gaps.next();
    await Promise.resolve();
    expect(statements).toEqual([['a']]);
    changes.stop();
  });

  it('of more than a thousand are asked for in turns, so that all come to theirs', async () => {
    const ids = Array.from({ length: 2_500 }, (_, n) => String(n).padStart(5, '0'));
    const { changes, asked: statements } = setUp(...ids.map(activity));
    for (let turn = 0; turn < 4; turn++) await changes.poll();
    expect(statements.map(({ length }) => length)).toEqual([1_000, 1_000, 500, 1_000]);
    expect(statements.slice(0, 3).flat()).toEqual(ids);
    expect(statements[3]).toEqual(statements[0]);
  });

  it('are polled a little apart, within the interval, until stopped, and also after the database was away', async () => {
    jest.useFakeTimers();
    const { changes, asked: statements, said, answersWith, answers } = setUp(activity('a'));
    changes.start();
    answersWith(() => Promise.reject(new Error('away')));
    await jest.advanceTimersByTimeAsync(799);
    expect(statements).toHaveLength(0);
    await jest.advanceTimersByTimeAsync(202);
    expect(statements).toHaveLength(1);
    expect(said).toEqual([expect.stringContaining('away')]);
    answers();
    await jest.advanceTimersByTimeAsync(1_001);
    expect(statements).toHaveLength(2);
    changes.stop();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(statements).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });
});
