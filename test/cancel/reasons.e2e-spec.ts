import { readFile } from 'node:fs/promises';
import {
  ABORT_REASONS,
  ACTIVITY_REASONS,
  ActivityError,
  ActivityOwnerLostError,
  ActivityShutdownError,
  ActivitySupersededError,
  ActivityClientDisconnectedError,
  cancelledByUser,
  type ActivityContext,
  type ActivityReason,
} from 'nestjs-activity';
import { ActivityRunner } from '../../libs/activity/src/execution/activity-runner.js';
import type { RunningActivity } from '../../libs/activity/src/execution/running-activity.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { deferred } from '../support/deferred.js';

afterEach(closeApps);

interface Row {
  reason: ActivityReason;
  /** Of `signal.reason`; of what the caller gets where the signal has not aborted. */
  error: string;
  status: string;
  byUser: boolean;
  level: string;
  /** The line of the log, without the id. */
  line: string;
}

/** What `docs/reference/reasons.md` says, and what happens. */
const TABLE: Row[] = [
  {
    reason: 'user',
    error: 'ActivityUserCancelledError',
    status: 'cancelled',
    byUser: true,
    level: 'info',
    line: 'was cancelled by Ada: wrong tag',
  },
  {
    reason: 'forced',
    error: 'ActivityForcedError',
    status: 'cancelled',
    byUser: true,
    level: 'info',
    line: 'was stopped by force by Ada: wrong tag',
  },
  {
    reason: 'parent',
    error: 'ActivityParentCancelledError',
    status: 'cancelled',
    byUser: true,
    level: 'info',
    line: 'was cancelled with its parent by Ada: wrong tag',
  },
  {
    reason: 'superseded',
    error: 'ActivitySupersededError',
    status: 'cancelled',
    byUser: false,
    level: 'info',
    line: 'was superseded by a newer one',
  },
  {
    reason: 'client_disconnected',
    error: 'ActivityClientDisconnectedError',
    status: 'cancelled',
    byUser: false,
    level: 'info',
    line: 'was cancelled because its client left',
  },
  {
    reason: 'deadline',
    error: 'ActivityDeadlineError',
    status: 'failed',
    byUser: false,
    level: 'error',
    line: 'was stopped at its deadline: it ran longer than its timeout of 5 ms',
  },
  {
    reason: 'shutdown',
    error: 'ActivityShutdownError',
    status: 'interrupted',
    byUser: false,
    level: 'info',
    line: 'was interrupted: the application is shutting down',
  },
  {
    reason: 'owner_lost',
    error: 'ActivityOwnerLostError',
    status: 'interrupted',
    byUser: false,
    level: 'info',
    line: 'was interrupted: this process no longer owns it',
  },
];

const by = { id: 'ada', name: 'Ada' };
const asked = { by, reason: 'wrong tag' };

/** Brings about an abort for each reason, of the activity of that type. */
async function stop({ activities, probe, app }: TrackedApp, reason: ActivityReason): Promise<void> {
  const { id } = await probe.started(reason);
  const local = (): RunningActivity => app.get(ActivityRunner).running.get(id)!;
  switch (reason) {
    case 'user':
      return void (await activities.cancel(id, asked));
    case 'forced':
      return void (await activities.cancel(id, { ...asked, force: true }));
    case 'parent':
      return void (await activities.cancel((await probe.started('around it')).id, asked));
    case 'superseded':
      return void local().abort(new ActivitySupersededError(id));
    case 'client_disconnected':
      return void local().abort(new ActivityClientDisconnectedError(id));
    case 'shutdown':
      return void local().abort(new ActivityShutdownError(id));
    case 'owner_lost':
      return void local().abort(new ActivityOwnerLostError(id));
    default:
  }
}

describe('the reasons', () => {
  it.each(TABLE)(
    '[F13] [F14] has for $reason its own class, status, line and answer to `cancelledByUser`',
    async (row) => {
      const app = await trackedApp({});
      const { activities, probe } = app;
      let signal: AbortSignal | undefined;
      const timeout = row.reason === 'deadline' ? { timeout: 5 } : {};
      const run = () =>
        activities.run({ type: row.reason, ...timeout }, async (activity: ActivityContext) => {
          signal = activity.signal;
          await activity.sleep(60_000);
        });
      const work = (row.reason === 'parent' ? activities.run({ type: 'around it' }, run) : run()).catch(
        (error: unknown) => error,
      );
      await stop(app, row.reason);
      expect(await work).toBe(signal?.reason);
      const error = signal?.reason as Error & { abortReason: string; code: string };
      expect(ActivityError.is(error)).toBe(true);
      expect([error.name, error.code, error.abortReason]).toEqual([row.error, 'ACTIVITY_CANCELLED', row.reason]);
      expect(cancelledByUser(signal!)).toBe(row.byUser);
      const settled = await probe.settled(row.reason);
      expect([settled.status, settled.reason]).toEqual([row.status, row.reason]);
      const [line] = await activities.messages(settled.id);
      expect(line).toMatchObject({ level: row.level, text: `Activity ${settled.id} ${row.line}`, source: 'activity' });
    },
  );

  it.each(TABLE)('settle a handle for $reason as they settle work that throws', async (row) => {
    const app = await trackedApp({});
    const { activities, probe } = app;
    const timeout = row.reason === 'deadline' ? { timeout: 5 } : {};
    const started = deferred();
    const settle = async () => {
      const handle = await activities.start({ type: row.reason, ...timeout });
      const aborted = new Promise((resolve) => handle.signal.addEventListener('abort', resolve));
      started.resolve();
      await aborted;
      return handle.settle(new Error('stopped'), { message: 'by hand' });
    };
    const work = row.reason === 'parent' ? activities.run({ type: 'around it' }, settle) : settle();
    await started.promise;
    await stop(app, row.reason);
    expect(await work).toBe(row.reason !== 'forced');
    expect(await probe.settled(row.reason)).toMatchObject({ status: row.status, reason: row.reason });
  });

  it('[F13] may settle otherwise where a type says so; without its work it never succeeds', async () => {
    const app = await trackedApp({});
    const { activities, probe } = app;
    const outcomes = { deadline: 'cancelled', user: 'succeeded', client_disconnected: 'failed' } as const;
    const run = (type: string, more: object = {}) =>
      activities.run({ type, outcomes, ...more }, ({ sleep }) => sleep(60_000)).catch(() => undefined);
    const all = [run('deadline', { timeout: 5 }), run('user'), run('client_disconnected'), run('superseded')];
    await Promise.all((['user', 'client_disconnected', 'superseded'] as const).map((reason) => stop(app, reason)));
    await Promise.all(all);
    const rows = new Map((await probe.rows()).map((row) => [row.type, [row.status, row.reason, row.error?.name]]));
    expect(Object.fromEntries(rows)).toEqual({
      deadline: ['cancelled', 'deadline', 'ActivityDeadlineError'],
      user: ['succeeded', null, undefined],
      client_disconnected: ['failed', 'client_disconnected', 'ActivityClientDisconnectedError'],
      superseded: ['cancelled', 'superseded', 'ActivitySupersededError'],
    });
    const end = deferred();
    const deaf = activities.run({ type: 'deaf', outcomes, cancelGrace: 5 }, () => end.promise).catch(() => undefined);
    await activities.cancel((await probe.started('deaf')).id);
    await deaf;
    expect(await probe.settled('deaf')).toMatchObject({ status: 'cancelled', reason: 'forced' });
    end.resolve();
    await expect(activities.run({ type: 'x', outcomes: { deadline: 'running' as 'failed' } }, () => 1)).rejects.toThrow(
      '`outcomes.deadline` is "running": it must be one of \'succeeded\'',
    );
  });

  it('are all in docs/reference/reasons.md, with class, status and line', async () => {
    const page = await readFile(new URL('../../docs/reference/reasons.md', import.meta.url), 'utf8');
    const rows = page
      .split('\n')
      .filter((text) => text.startsWith('| `'))
      .map((text) => text.split('|').map((cell) => cell.trim().replaceAll('`', '')));
    const listed = new Map(rows.map((cells) => [cells[1], cells]));
    expect([...listed.keys()]).toEqual(expect.arrayContaining([...ACTIVITY_REASONS]));
    expect(TABLE.map(({ reason }) => reason).toSorted()).toEqual(ABORT_REASONS.toSorted());
    for (const { reason, error, status, byUser, line } of TABLE) {
      const [, , name, level, asks, text] = listed.get(reason)!;
      const told = line.replace(/ by Ada: wrong tag$/, '').replace(/5 ms/, '… ms');
      expect([reason, name, level, asks, text]).toEqual([
        reason,
        error,
        status,
        byUser ? 'yes' : 'no',
        `Activity … ${told}`,
      ]);
    }
  });
});
