import {
  ActivityForcedError,
  ActivityOwnerLostError,
  ActivitySupersededError,
  ActivityUserCancelledError,
  firstCause,
  isByUser,
  type ActivityCancelledError,
} from '../model/cancellation.js';
import type { MessageLevel } from '../model/activity.js';
import { statusAfterAbort } from '../model/reasons.js';
import type { CancelFact, ForeignEnd, RequestReason } from '../storage/activity-store.js';

/** Who and why, where somebody has asked for it, of this one or of one around it. */
export function factOf(cancellation: ActivityCancelledError): CancelFact | null {
  const { by, userReason: reason } = cancellation;
  const isSaid = by !== null || reason !== null || isByUser(cancellation);
  return isAsked(cancellation) && isSaid ? { requestedAt: new Date(), by, reason } : null;
}

/** Of a request that stands on the row. */
export function cancellationAsked(id: string, fact: CancelFact, reason: RequestReason): ActivityCancelledError {
  return reason === 'superseded' ? new ActivitySupersededError(id, fact) : new ActivityUserCancelledError(id, fact);
}

/** Of a row that somebody else has ended, or owns. */
export function cancellationOfEnd(id: string, { status, reason, cancel }: ForeignEnd): ActivityCancelledError {
  if (status !== 'cancelled') return new ActivityOwnerLostError(id);
  const fact = cancel ?? { requestedAt: new Date(), by: null, reason: null };
  if (reason === 'forced') return new ActivityForcedError(id, fact);
  return cancellationAsked(id, fact, reason === 'superseded' ? reason : 'user');
}

/** Whether somebody wanted it to stop, and not the clock or the process. */
export function isAsked(cancellation: ActivityCancelledError): boolean {
  const { abortReason } = firstCause(cancellation);
  return statusAfterAbort(abortReason) === 'cancelled' && abortReason !== 'parent';
}

/** Of the line that tells of it. */
export function levelOf(cancellation: ActivityCancelledError): MessageLevel {
  // A cancel is no trouble: as a warning it would look like one of the work's own.
  return statusAfterAbort(cancellation.abortReason) === 'failed' ? 'error' : 'info';
}
