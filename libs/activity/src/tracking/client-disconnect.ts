import type { RunningActivity } from '../execution/running-activity.js';
import { ActivityCancelledError } from '../model/cancellation.js';
import type { HttpExchange } from './http-exchange.js';

/** For `onDisconnect: 'cancel'`: aborts the activity when the client leaves before its answer has been sent. */
export function cancelWithClient(activity: RunningActivity, exchange: HttpExchange): void {
  activity.onRelease(
    exchange.whenOver((end) => {
      if (end === 'left') activity.abort(new ActivityCancelledError('client_disconnected', activity.id));
    }),
  );
}
