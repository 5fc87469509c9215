import { AsyncLocalStorage } from 'node:async_hooks';
import type { ActivityContext } from './activity-context.js';
import type { RunningActivity } from './running-activity.js';
import { untrackedActivity } from './untracked-activity.js';

/** The activity around the running code. Entered by `run` only, never `enterWith`: nothing is left behind after a call. */
const ambient = new AsyncLocalStorage<RunningActivity>();

/**
 * The activity around the running code, in any function that its work calls. Outside of one, a quiet no-op whose
 * `tracked` is false. Code that a pool or an emitter calls back runs in *their* context: hand it the context explicitly.
 */
export function currentActivity(): ActivityContext {
  return ambient.getStore()?.context ?? untrackedActivity;
}

/** @internal */
export function ambientActivity(): RunningActivity | undefined {
  return ambient.getStore();
}

/** Runs `work` with `activity` around it. @internal */
export function withinActivity<T, Args extends unknown[]>(
  activity: RunningActivity,
  work: (...args: Args) => T,
  ...args: Args
): T {
  return ambient.run(activity, work, ...args);
}
