import type { Activity, Json } from '../model/activity.js';
import { ActivityCancelledError } from '../model/cancellation.js';
import { ActivityFailedError, ActivityResultUnavailableError } from '../model/key-errors.js';
import type { AbortReason } from '../model/reasons.js';
import type { ActiveStatus } from '../model/statuses.js';
import { isPlaceholder } from '../storage/storable-json.js';
import { isStream } from './kept-result.js';

/** The answer to a call that is not run, since another activity stands for it. */
export interface JoinedRun {
  activityId: string;
  /** When the call came; `running` also of one that had ended. */
  status: ActiveStatus;
  /** True when that activity had ended before the call came. */
  replayed: boolean;
  /** The other activity's own, where it runs in this process. */
  signal?: AbortSignal;
  /**
   * Its value or error.
   * @param signal  of the call: aborting it ends the waiting, not the other activity.
   */
  outcome(signal: AbortSignal): Promise<unknown>;
}

/**
 * What an ended activity gives to a call that stands for it.
 * @throws what it ended with: {ActivityFailedError}, {ActivityCancelledError}, {ActivityResultUnavailableError}.
 */
export function outcomeOfRow({ id, status, reason, result, error, cancel }: Activity): Json {
  if (status === 'failed') throw new ActivityFailedError(id, error);
  if (status !== 'succeeded') {
    throw new ActivityCancelledError((reason ?? 'owner_lost') as AbortReason, id, cancel ?? {});
  }
  if (result === undefined || isPlaceholder(result)) {
    throw new ActivityResultUnavailableError(id, status, 'it was not kept (a stream, more than 64 KB, or not JSON)');
  }
  return result;
}

/** @throws {ActivityResultUnavailableError} for a stream, which only one can read. */
export function sharedValue(activityId: string, value: unknown): unknown {
  if (!isStream(value)) return value;
  throw new ActivityResultUnavailableError(
    activityId,
    'running',
    'it is a stream, which only its first caller can read',
  );
}
