import type { ActivityError, ActivityErrorCode } from '../model/activity-error.js';
import type { ActivityCancelledError } from '../model/cancellation.js';
import type { AbortReason } from '../model/reasons.js';

/** How an error is told to a client. */
export interface ErrorAnswer {
  status: number;
  /** Its text is written for whoever called; else the client gets a plain sentence, and the log the error. */
  public: boolean;
  /** Seconds after which a new try makes sense. */
  retryAfter?: number;
}

const told = (status: number, retryAfter?: number): ErrorAnswer => ({ status, public: true, retryAfter });
const kept = (status: number, retryAfter?: number): ErrorAnswer => ({ status, public: false, retryAfter });

const ANSWERS: Record<ActivityErrorCode, ErrorAnswer> = {
  ACTIVITY_CANCELLED: told(409),
  ACTIVITY_NOT_FOUND: told(404),
  ACTIVITY_ALREADY_SETTLED: told(409),
  ACTIVITY_NOT_CANCELLABLE: told(409),
  ACTIVITY_QUEUE_TIMEOUT: told(503, 5),
  ACTIVITY_CONFLICT: told(409),
  ACTIVITY_KEY_REUSED: told(422),
  ACTIVITY_RESULT_UNAVAILABLE: told(409),
  ACTIVITY_FAILED: told(409),
  ACTIVITY_WAIT_TIMEOUT: told(504),
  ACTIVITY_QUERY_INVALID: told(400),
  ACTIVITY_SHUT_DOWN: told(503, 5),
  ACTIVITY_STORE_UNAVAILABLE: kept(503, 5),
  ACTIVITY_STORE_UNSUPPORTED: kept(500),
  ACTIVITY_MIGRATIONS_PENDING: kept(500),
  // Its text has the command line and what the command said.
  ACTIVITY_COMMAND_FAILED: kept(500),
  // A mistake of the application's, not of its client.
  ACTIVITY_OPTION_INVALID: kept(500),
  ACTIVITY_MODULE_MISSING: kept(500),
  ACTIVITY_MODULE_DUPLICATE: kept(500),
  ACTIVITY_DECORATOR_MISUSED: kept(500),
  ACTIVITY_ADMIN_UNGUARDED: kept(500),
  // A server that reads another's stream.
  ACTIVITY_STREAM_CUT: kept(502),
};

/** A cancel that nobody asked for is no conflict: the time was up, or the server went away. */
const CANCELLED: Partial<Record<AbortReason, ErrorAnswer>> = {
  deadline: told(504),
  shutdown: told(503, 5),
  owner_lost: told(503, 5),
};

/** The one table of HTTP statuses, for calls that are refused, for the admin API and for `ActivityExceptionFilter`. */
export function answerTo(error: ActivityError): ErrorAnswer {
  if (error.code === 'ACTIVITY_CANCELLED') {
    return CANCELLED[(error as ActivityCancelledError).abortReason] ?? ANSWERS.ACTIVITY_CANCELLED;
  }
  // Another installed copy of this package may know codes that this one does not.
  return ANSWERS[error.code] ?? kept(500);
}
