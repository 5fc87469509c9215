import { Observable, Subject, takeUntil, type Subscriber } from 'rxjs';
import { ActivityCancelledError } from '../model/cancellation.js';
import type { Completion } from '../model/outcome.js';
import { withinActivity } from './ambient-activity.js';
import { whenAborted } from './linked-signal.js';
import type { RunningActivity } from './running-activity.js';

/**
 * The same values, then the end once the activity has settled with it. The source is subscribed within the activity,
 * exactly once for each subscription. Aborting the activity unsubscribes the source; unsubscribing aborts the activity.
 */
export function followObservable<T>(activity: RunningActivity, source: Observable<T>): Observable<T> {
  return new Observable<T>((subscriber) => subscribeWithin(activity, source, subscriber));
}

/** @returns the teardown. */
export function subscribeWithin<T>(
  activity: RunningActivity,
  source: Observable<T>,
  subscriber: Subscriber<T>,
): () => void {
  const stop = new Subject<void>();
  let last: T | undefined;
  let ended = false;
  let stopListening = (): void => undefined;
  const end = (completion: Completion, tell: () => void): void => {
    if (ended) return;
    ended = true;
    stopListening();
    void activity.finish(completion).then(tell);
  };
  const abort = (): void => {
    const error: unknown = activity.signal.reason;
    end({ ok: false, error }, () => subscriber.error(error));
    stop.next();
  };
  const leave = (): void => {
    if (!ended) activity.abort(new ActivityCancelledError('client_disconnected', activity.id));
    abort();
  };
  withinActivity(activity, () =>
    source.pipe(takeUntil(stop)).subscribe({
      next: (value) => {
        subscriber.next((last = value));
        // A source that gives all its values at once is not stopped by the teardown, which it does not have yet.
        if (subscriber.closed) leave();
      },
      error: (error: unknown) => end({ ok: false, error }, () => subscriber.error(error)),
      complete: () => end({ ok: true, value: last }, () => subscriber.complete()),
    }),
  );
  if (!ended) stopListening = whenAborted(activity.signal, () => queueMicrotask(abort));
  return leave;
}
