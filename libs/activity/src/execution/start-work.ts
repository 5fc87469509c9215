import { isPromise, type MaybePromise } from '../model/maybe-promise.js';
import { withinActivity } from './ambient-activity.js';
import type { RunningActivity } from './running-activity.js';

export type Work<T> = (activity: RunningActivity) => T | PromiseLike<T>;

/**
 * Calls the work with the activity around it. What it gives is a value or a promise that runs already: what begins with its
 * `then` only (a query of an ORM, say) is begun once, and within the activity.
 * @throws what the work throws at once; the signal's reason where it has aborted, and the work is not called then.
 */
export function startWork<T>(activity: RunningActivity, work: Work<T>): MaybePromise<T> {
  // An abort may have come since the admission: work that need not begin does not.
  if (activity.aborted) throw activity.signal.reason;
  const given = withinActivity(activity, work, activity);
  if (!isPromise(given)) return given;
  return isPlainPromise(given) ? given : withinActivity(activity, adopt, given);
}

function isPlainPromise<T>(given: PromiseLike<T>): given is Promise<T> {
  return Object.getPrototypeOf(given) === Promise.prototype;
}

function adopt<T>(given: PromiseLike<T>): Promise<T> {
  return Promise.resolve(given);
}
