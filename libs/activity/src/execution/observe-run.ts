import { Observable, type Subscriber } from 'rxjs';
import type { MaybePromise } from '../model/maybe-promise.js';
import type { ActivityContext } from './activity-context.js';
import type { ActivityRunner } from './activity-runner.js';
import { withinActivity } from './ambient-activity.js';
import { subscribeWithin } from './follow-observable.js';
import { readerLeft } from './result-reader.js';
import type { RunRequest } from './run-request.js';

export type ObservableBody<T> = (activity: ActivityContext) => Observable<T>;

/**
 * An Observable whose every subscription is one activity: it starts with it, and settles with its end. One that is left
 * before its start (while it waits for a slot, say) is cancelled, and its body is not called.
 */
export function observeRun<T>(
  runner: ActivityRunner,
  request: () => MaybePromise<RunRequest>,
  body: ObservableBody<T>,
): Observable<T> {
  return new Observable<T>((subscriber) => {
    let leave = (): void => undefined;
    const start = async (): Promise<void> => {
      const asked = await request();
      if (subscriber.closed) return;
      const activity = await runner.begin({
        ...asked,
        onCreated: (created) => {
          asked.onCreated?.(created);
          leave = () => readerLeft(created);
        },
      });
      try {
        // An abort may have come since the admission: work that need not begin does not.
        if (activity.aborted) throw activity.signal.reason;
        leave = subscribeWithin(
          activity,
          withinActivity(activity, () => body(activity.context)),
          { subscriber, answer: asked.answer },
        );
      } catch (error) {
        await activity.finish({ ok: false, error });
        throw error;
      }
    };
    start().catch((error: unknown) => tell(subscriber, error));
    return () => leave();
  });
}

/** A subscriber that has left wants no error, and RxJS would report it as unhandled. */
function tell(subscriber: Subscriber<unknown>, error: unknown): void {
  if (!subscriber.closed) subscriber.error(error);
}
