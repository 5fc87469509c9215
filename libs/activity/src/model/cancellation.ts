import { ActivityError } from './activity-error.js';
import type { AbortReason } from './reasons.js';
import type { Actor } from './activity.js';

/** Who asked for a cancel, and why, in their words. */
export interface CancelRequest {
  by?: Actor | null;
  /** Free text, shown to operators. */
  reason?: string | null;
}

/**
 * The `signal.reason` of an aborted activity: always an Error, set once. `abortReason` says what aborted it, `by` and
 * `userReason` who asked and why. Its `name` is its class's, not "AbortError": so a body's own AbortError is never
 * mistaken for ours. Idea: Go's `context.Cause`, Temporal's `CancelledFailure`.
 */
export class ActivityCancelledError extends ActivityError {
  readonly code = 'ACTIVITY_CANCELLED';
  readonly by: Actor | null;
  readonly userReason: string | null;

  constructor(
    readonly abortReason: AbortReason,
    readonly activityId: string,
    request: CancelRequest = {},
    options?: ErrorOptions,
  ) {
    super(sentence(abortReason, activityId, request), options);
    this.by = request.by ?? null;
    this.userReason = request.reason ?? null;
  }
}

/** Somebody asked it to stop; it settles as `cancelled`. */
export class ActivityUserCancelledError extends ActivityCancelledError {
  constructor(activityId: string, request?: CancelRequest) {
    super('user', activityId, request);
  }
}

/** Somebody ended it at once, without waiting for its work; its row is `cancelled` with the reason `forced`. */
export class ActivityForcedError extends ActivityCancelledError {
  constructor(activityId: string, request?: CancelRequest) {
    super('forced', activityId, request);
  }
}

/**
 * The activity around it, or the signal that it was given, was aborted; it settles as `cancelled`. `cause` is that
 * signal's reason, and `by` and `userReason` are taken over from it.
 */
export class ActivityParentCancelledError extends ActivityCancelledError {
  constructor(activityId: string, cause: unknown) {
    super('parent', activityId, requestOf(cause), { cause });
  }
}

/** A newer one has taken its place; it settles as `cancelled`. */
export class ActivitySupersededError extends ActivityCancelledError {
  constructor(activityId: string, request?: CancelRequest) {
    super('superseded', activityId, request);
  }
}

/** Whoever read its answer has left; it settles as `cancelled`. */
export class ActivityClientDisconnectedError extends ActivityCancelledError {
  constructor(activityId: string) {
    super('client_disconnected', activityId);
  }
}

/** The activity took longer than its `timeout`; it settles as `failed` with the reason `deadline`. */
export class ActivityDeadlineError extends ActivityCancelledError {
  constructor(
    activityId: string,
    readonly timeoutMs: number,
  ) {
    super('deadline', activityId, { reason: `it ran longer than its timeout of ${timeoutMs} ms` });
  }
}

/** The application is stopping; the activity settles as `interrupted`. */
export class ActivityShutdownError extends ActivityCancelledError {
  constructor(activityId: string) {
    super('shutdown', activityId);
  }
}

/** This process lost the activity (its lease ran out or another process took it); it settles as `interrupted`. */
export class ActivityOwnerLostError extends ActivityCancelledError {
  constructor(activityId: string) {
    super('owner_lost', activityId);
  }
}

/** The reason of an aborted signal, if the abort came from an activity; `undefined` for any other signal. */
export function cancellationOf(signal: AbortSignal): ActivityCancelledError | undefined {
  return signal.aborted && isCancellation(signal.reason) ? signal.reason : undefined;
}

/**
 * True when a person (or a caller of the API) cancelled the activity behind `signal`, or one around it, and not a
 * deadline, a shutdown or a lost lease. Its model is `CancelledByContext` of the Go package.
 */
export function cancelledByUser(signal: AbortSignal): boolean {
  const cancellation = cancellationOf(signal);
  return cancellation !== undefined && isByUser(cancellation);
}

/** The same of the reason itself. */
export function isByUser(cancellation: ActivityCancelledError): boolean {
  return ['user', 'forced'].includes(firstCause(cancellation).abortReason);
}

/** Of one that came from a parent: what aborted the outermost. */
export function firstCause(cancellation: ActivityCancelledError): ActivityCancelledError {
  let first = cancellation;
  while (first.abortReason === 'parent' && isCancellation(first.cause)) first = first.cause;
  return first;
}

/** True for what the work of an activity throws because the application is shutting down. */
export function isShutdown(error: unknown): boolean {
  return isCancellation(error) && firstCause(error).abortReason === 'shutdown';
}

function isCancellation(reason: unknown): reason is ActivityCancelledError {
  return ActivityError.is(reason) && reason.code === 'ACTIVITY_CANCELLED';
}

function requestOf(cause: unknown): CancelRequest {
  return isCancellation(cause) ? { by: cause.by, reason: cause.userReason } : {};
}

function sentence(reason: AbortReason, id: string, request: CancelRequest): string {
  const by = request.by ? ` by ${request.by.name ?? request.by.id}` : '';
  const why = request.reason ? `: ${request.reason}` : '';
  const what: Record<AbortReason, string> = {
    user: `was cancelled${by}`,
    forced: `was stopped by force${by}`,
    deadline: 'was stopped at its deadline',
    parent: `was cancelled with its parent${by}`,
    superseded: 'was superseded by a newer one',
    client_disconnected: 'was cancelled because its client left',
    shutdown: 'was interrupted: the application is shutting down',
    owner_lost: 'was interrupted: this process no longer owns it',
  };
  return `Activity ${id} ${what[reason]}${why}`;
}
