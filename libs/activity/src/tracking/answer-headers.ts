import type { JoinedRun } from '../execution/joined-run.js';
import type { RunningActivity } from '../execution/running-activity.js';
import type { HttpExchange } from './http-exchange.js';

/** Names the activity of a call in its answer, whatever the answer will be. */
const ACTIVITY_ID_HEADER = 'Activity-Id';

/**
 * Set as soon as the activity exists, before it waits for anything, so that errors and streams carry it too. Where a
 * call is tried again, the last try stands.
 */
export function nameActivity(activity: RunningActivity, exchange: HttpExchange): void {
  exchange.setHeader(ACTIVITY_ID_HEADER, activity.id);
}

/** The answer is of another activity: its id, and whether it is told a second time. */
export function nameJoined({ activityId, replayed }: JoinedRun, exchange: HttpExchange): void {
  exchange.setHeader(ACTIVITY_ID_HEADER, activityId);
  if (replayed) exchange.setHeader('Idempotent-Replayed', 'true');
}

/** Nothing was written of a call that another activity's key keeps out; the header would name what is not there. */
export function unnameActivity(exchange: HttpExchange): void {
  exchange.removeHeader(ACTIVITY_ID_HEADER);
}
