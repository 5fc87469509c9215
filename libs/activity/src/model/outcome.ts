import { cancellationOf } from './cancellation.js';
import { statusAfterAbort, type ActivityReason } from './reasons.js';
import type { FinalStatus } from './statuses.js';

/** How the work came back: with a value, or with whatever it threw. */
export type Completion = { ok: true; value: unknown } | { ok: false; error: unknown };

export interface Outcome {
  status: FinalStatus;
  reason: ActivityReason | null;
}

/**
 * The outcome follows from who aborted. A normal return is a success, also after a cancel. An error is a cancellation
 * only if the activity's *own* signal was aborted: an AbortError of anything else is a failure like any other.
 * @see Temporal, packages/worker/src/activity.ts: only "if we set a reason"
 */
export function outcomeOf(completion: Completion, signal: AbortSignal): Outcome {
  if (completion.ok) return { status: 'succeeded', reason: null };
  const cancellation = cancellationOf(signal);
  if (!cancellation) return { status: 'failed', reason: 'error' };
  return { status: statusAfterAbort(cancellation.abortReason), reason: cancellation.abortReason };
}
