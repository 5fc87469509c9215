import type { Json } from '../model/activity.js';
import type { Outcome } from '../model/outcome.js';
import { toStoredError } from '../model/stored-error.js';
import type { ActivityContext } from './activity-context.js';
import { withinActivity } from './ambient-activity.js';
import type { RunningActivity } from './running-activity.js';

/**
 * An activity that is settled by hand: what `service.start()` gives. The first settlement wins and resolves with true,
 * every later one with false, and changes nothing. After a settlement all calls are quiet no-ops; the signal stays as it is.
 */
export interface ActivityHandle extends ActivityContext {
  /** `result` is kept where `keepResult` says so. */
  succeed(result?: Json): Promise<boolean>;
  fail(error: unknown): Promise<boolean>;
  /** Settles as the signal's reason says (a deadline has failed); as cancelled by a user where it has not aborted. */
  cancelled(): Promise<boolean>;
  /** Without an error: succeeded. With one: what follows from the signal's reason. A message becomes the last line. */
  settle(error?: unknown, options?: { message?: string }): Promise<boolean>;
  /** Runs `work` with this activity as the current one. */
  within<T>(work: () => T): T;
}

export function createActivityHandle(activity: RunningActivity, keepResult: boolean): ActivityHandle {
  const end = async (settlement: Promise<boolean>): Promise<boolean> => {
    const first = await settlement;
    activity.release();
    return first;
  };
  const fail = (error: unknown): Promise<boolean> =>
    end(activity.settle(activity.outcomeOf({ ok: false, error }), { error: toStoredError(error) }));
  const succeed = (result?: Json): Promise<boolean> =>
    end(activity.settle({ status: 'succeeded', reason: null }, keepResult && result !== undefined ? { result } : {}));
  const settling = {
    succeed,
    fail,
    cancelled: () => {
      const error: unknown = activity.signal.reason;
      const outcome: Outcome = activity.signal.aborted
        ? activity.outcomeOf({ ok: false, error })
        : { status: 'cancelled', reason: 'user' };
      return end(activity.settle(outcome, {}));
    },
    settle: (...[error, options]: [unknown?, { message?: string }?]) => {
      if (options?.message !== undefined) {
        activity.record.takeSources();
        activity.record.message(error ? 'error' : 'info', options.message);
      }
      return error === undefined || error === null ? succeed() : fail(error);
    },
    within: <T>(work: () => T) => withinActivity(activity, work),
  } satisfies Omit<ActivityHandle, keyof ActivityContext>;
  // As they are defined: reading `stdout` would make a writer for everyone.
  const members = Object.getOwnPropertyDescriptors(activity.context);
  return Object.freeze(Object.defineProperties(settling, members) as ActivityHandle);
}
