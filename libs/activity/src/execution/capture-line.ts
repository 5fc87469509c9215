import type { MessageLevel } from '../model/activity.js';
import { ambientActivity } from './ambient-activity.js';

/** Calls within calls whose line has been seen to: a logger that hands a line on to another says it once. */
let handled = 0;

/**
 * Makes a line of a logger a line of the activity around the running code: for a hook of a logger that is not Nest's.
 * Outside of an activity, and once it has ended, nothing happens. Never throws.
 * @param text  the line, or a function that makes it, which is called within an activity only.
 */
export function captureLine(level: MessageLevel, text: string | (() => string)): void {
  if (handled > 0) return;
  const activity = ambientActivity();
  if (!activity || activity.settled) return;
  try {
    activity.record.message(level, typeof text === 'string' ? text : text());
  } catch {
    // What cannot be shown must not end the work that logs it.
    activity.record.message(level, '[a line that cannot be shown]');
  }
}

/** Whether the line that is being written has been seen to. @internal */
export function isLineHandled(): boolean {
  return handled > 0;
}

/** Runs `work`, whose lines are not captured: they have been, or must not be. @internal */
export function withLineHandled<T>(work: () => T): T {
  handled++;
  try {
    return work();
  } finally {
    handled--;
  }
}
