import type { ActivityError, ActivityErrorCode } from '../model/activity-error.js';
import type { ActivityCancelledError } from '../model/cancellation.js';
import { isForCallers } from '../model/public-error.js';
import type { AbortReason } from '../model/reasons.js';

/** How an error is told to a client. */
export interface ErrorAnswer {
  status: number;
  /** Its text is written for whoever called; else the client gets a plain sentence, and the log the error. */
  public: boolean;
  /** Seconds after which a new try makes sense. */
  retryAfter?: number;
}

type Status = Pick<ErrorAnswer, 'status' | 'retryAfter'>;

const of = (status: number, retryAfter?: number): Status => ({ status, retryAfter });

const STATUSES: Record<ActivityErrorCode, Status> = {
  ACTIVITY_CANCELLED: of(409),
  ACTIVITY_NOT_FOUND: of(404),
  ACTIVITY_ALREADY_SETTLED: of(409),
  ACTIVITY_NOT_CANCELLABLE: of(409),
  ACTIVITY_QUEUE_TIMEOUT: of(503, 5),
  ACTIVITY_CONFLICT: of(409),
  ACTIVITY_KEY_REUSED: of(422),
  ACTIVITY_RESULT_UNAVAILABLE: of(409),
  ACTIVITY_FAILED: of(409),
  ACTIVITY_WAIT_TIMEOUT: of(504),
  ACTIVITY_QUERY_INVALID: of(400),
  ACTIVITY_SHUT_DOWN: of(503, 5),
  ACTIVITY_STORE_UNAVAILABLE: of(503, 5),
  ACTIVITY_STORE_UNSUPPORTED: of(500),
  ACTIVITY_MIGRATIONS_PENDING: of(500),
  ACTIVITY_COMMAND_FAILED: of(500),
  // A mistake of the application's, not of its client.
  ACTIVITY_OPTION_INVALID: of(500),
  ACTIVITY_MODULE_MISSING: of(500),
  ACTIVITY_MODULE_DUPLICATE: of(500),
  ACTIVITY_DECORATOR_MISUSED: of(500),
  ACTIVITY_ADMIN_UNGUARDED: of(500),
  // A server that reads another's stream.
  ACTIVITY_STREAM_CUT: of(502),
};

/** A cancel that nobody asked for is no conflict: the time was up, or the server went away. */
const CANCELLED: Partial<Record<AbortReason, Status>> = {
  deadline: of(504),
  shutdown: of(503, 5),
  owner_lost: of(503, 5),
};

/** The one table of HTTP statuses, for calls that are refused, for the admin API and for `ActivityExceptionFilter`. */
export function answerTo(error: ActivityError): ErrorAnswer {
  return { ...statusOf(error), public: isForCallers(error) };
}

function statusOf(error: ActivityError): Status {
  if (error.code === 'ACTIVITY_CANCELLED') {
    return CANCELLED[(error as ActivityCancelledError).abortReason] ?? STATUSES.ACTIVITY_CANCELLED;
  }
  // Another installed copy of this package may know codes that this one does not.
  return STATUSES[error.code] ?? of(500);
}
