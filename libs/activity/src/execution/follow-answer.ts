import type { CallAnswer } from './call-answer.js';
import { whenAborted } from './linked-signal.js';
import { readerLeft } from './result-reader.js';
import type { RunningActivity } from './running-activity.js';

/**
 * For work that writes the answer itself and has returned: the activity ends when the answer has been sent, or its client
 * has left. An abort cuts the answer off, since nobody else would end it.
 */
export function followAnswer(activity: RunningActivity, answer: CallAnswer): void {
  const stopListening = whenAborted(activity.signal, () => answer.cut());
  answer.whenOver((end) => {
    stopListening();
    // What was written to its end for a client that had left is complete all the same.
    const broken = end === 'left' && !answer.complete;
    const { failure } = answer;
    if (broken && !failure) readerLeft(activity);
    const error: unknown = activity.signal.aborted ? activity.signal.reason : failure;
    void activity.finish(broken || activity.signal.aborted ? { ok: false, error } : { ok: true, value: undefined });
  });
}
