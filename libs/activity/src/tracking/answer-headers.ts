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
