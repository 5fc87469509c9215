import { defer, isObservable } from 'rxjs';
import { FollowedGenerator } from './follow-iterator.js';
import { followObservable } from './follow-observable.js';
import { afterDelay } from './long-timeout.js';
import type { RunningActivity } from './running-activity.js';

/**
 * For a result that goes on after the body has returned it: the same kind of result, with whose end the activity ends.
 * Undefined for a result that is complete. A result that nobody reads within the grace has succeeded as it is, with a
 * line that says so: an activity must not stay open for a reader that never comes.
 */
export function followResult(activity: RunningActivity, value: unknown): unknown {
  if (isObservable(value)) {
    const isRead = endUnread(activity);
    const read = defer(() => {
      isRead();
      return value;
    });
    return followObservable(activity, read);
  }
  if (isAsyncGenerator(value)) {
    const isRead = endUnread(activity);
    return new FollowedGenerator(async () => {
      isRead();
      return { activity, source: value };
    });
  }
  return undefined;
}

/** @returns to be called when somebody reads. */
function endUnread(activity: RunningActivity): () => void {
  return afterDelay(activity.grace, () => {
    activity.record.message('warn', 'What the work returned was not read, so its end is not known.', 'activity');
    void activity.finish({ ok: true, value: undefined });
  });
}

function isAsyncGenerator(value: unknown): value is AsyncGenerator {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.asyncIterator in value &&
    typeof (value as AsyncGenerator).next === 'function' &&
    typeof (value as AsyncGenerator).return === 'function'
  );
}
