import { ActivityClientDisconnectedError } from '../model/cancellation.js';
import type { CallAnswer } from './call-answer.js';
import { afterDelay } from './long-timeout.js';
import type { RunningActivity } from './running-activity.js';

/**
 * Watches over the reader of a result that goes on. Where that is the answer to a call, a client that leaves it aborts
 * the activity, and `onGone` is told when it has been sent; elsewhere, once the grace is over.
 * @returns a function that stops the watching.
 */
export function watchReader(
  activity: RunningActivity,
  answer: CallAnswer | undefined,
  onGone: (how: 'sent' | 'late') => void,
): () => void {
  if (!answer) return afterDelay(activity.grace, () => onGone('late'));
  return answer.whenOver((end) => (end === 'left' ? readerLeft(activity) : onGone('sent')));
}

/** Who read the result wants no more of it. */
export function readerLeft(activity: RunningActivity): void {
  activity.abort(new ActivityClientDisconnectedError(activity.id));
}

/** A result that nobody has read has succeeded as it is: an activity must not stay open for a reader that never comes. */
export function finishUnread(activity: RunningActivity): void {
  activity.record.message('warn', 'What the work returned was not read, so its end is not known.', 'activity');
  void activity.finish({ ok: true, value: undefined });
}
