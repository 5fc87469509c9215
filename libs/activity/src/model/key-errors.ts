import type { Actor, StoredError } from './activity.js';
import { ActivityError } from './activity-error.js';
import type { ActivityStatus } from './statuses.js';

/** The activity that has a key: as much of it as the one who is refused may know, whoever started it. */
export interface KeyHolderFacts {
  id: string;
  type: string;
  actor: Actor | null;
  status: ActivityStatus;
  /** Null while it waits itself. */
  startedAt: Date | null;
}

/** The call's `exclusive` key is another activity's; the work did not run, and no row was written. */
export class ActivityConflictError extends ActivityError {
  readonly code = 'ACTIVITY_CONFLICT';
  constructor(
    readonly type: string,
    readonly key: string,
    readonly holder: KeyHolderFacts,
    options?: ErrorOptions,
  ) {
    super(`"${type}" was not started: "${key}" is held by ${described(holder)}.`, options);
  }
}

/** An idempotency key (or `Operation-Id`) came again, for another request than its first. */
export class ActivityKeyReusedError extends ActivityError {
  readonly code = 'ACTIVITY_KEY_REUSED';
  constructor(
    readonly activityId: string,
    readonly key: string,
    options?: ErrorOptions,
  ) {
    super(
      `The idempotency key "${key}" belongs to activity ${activityId}, which was asked for something else. ` +
        'Use a new key for a new request.',
      options,
    );
  }
}

/** The call repeats or joins an activity whose result cannot be given a second time; nothing was run again. */
export class ActivityResultUnavailableError extends ActivityError {
  readonly code = 'ACTIVITY_RESULT_UNAVAILABLE';
  constructor(
    readonly activityId: string,
    readonly status: ActivityStatus,
    readonly why: string,
    options?: ErrorOptions,
  ) {
    super(
      `Activity ${activityId} (${status}) was not run a second time, and its result cannot be given: ${why}.`,
      options,
    );
  }
}

/** The call repeats or joins an activity that has failed, perhaps in another process; nothing was run again. */
export class ActivityFailedError extends ActivityError {
  readonly code = 'ACTIVITY_FAILED';
  constructor(
    readonly activityId: string,
    /** What it failed with, as it is stored. */
    readonly failure: StoredError | null,
    options?: ErrorOptions,
  ) {
    super(
      `Activity ${activityId} has failed, and this call stands for the same request, so nothing was run again. ` +
        'Use a new key to try anew.',
      options,
    );
  }
}

function described({ id, type, actor, status, startedAt }: KeyHolderFacts): string {
  const by = actor ? `, started by ${actor.name ?? actor.id}` : '';
  const since = startedAt ? `${status} since ${startedAt.toISOString()}` : status;
  return `activity ${id} ("${type}", ${since}${by})`;
}
