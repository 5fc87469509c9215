import { readerLeft } from '../execution/result-reader.js';
import type { RunningActivity } from '../execution/running-activity.js';
import type { HttpExchange } from './http-exchange.js';

/**
 * For `onDisconnect: 'cancel'`: aborts the activity when the client leaves before its answer has been sent, or when an
 * interceptor has answered it without waiting for the result.
 */
export function cancelWithClient(activity: RunningActivity, exchange: HttpExchange): void {
  // At once, so that work whose client has left before it is not even started.
  if (exchange.end === 'left') return readerLeft(activity);
  activity.onRelease(exchange.whenOver((end) => end === 'left' && readerLeft(activity)));
  activity.onRelease(exchange.whenAbandoned(() => readerLeft(activity)));
}
