import { Observable } from 'rxjs';
import type { ActivityContext } from './activity-context.js';
import type { ActivityRunner } from './activity-runner.js';
import { withinActivity } from './ambient-activity.js';
import { subscribeWithin } from './follow-observable.js';
import type { RunRequest } from './run-request.js';

/** An Observable whose every subscription is one activity: it starts with it, and settles with its end. */
export function observeRun<T>(
  runner: ActivityRunner,
  request: () => Promise<RunRequest>,
  body: (activity: ActivityContext) => Observable<T>,
): Observable<T> {
  return new Observable<T>((subscriber) => {
    let teardown: (() => void) | undefined;
    void (async () => {
      try {
        const activity = await runner.begin(await request());
        try {
          const source = withinActivity(activity, () => body(activity.context));
          teardown = subscribeWithin(activity, source, subscriber);
        } catch (error) {
          await activity.finish({ ok: false, error });
          throw error;
        }
        if (subscriber.closed) teardown();
      } catch (error) {
        subscriber.error(error);
      }
    })();
    return () => teardown?.();
  });
}
