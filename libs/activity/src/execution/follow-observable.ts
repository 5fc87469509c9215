import { Observable, Subject, takeUntil, type Subscriber } from 'rxjs';
import type { Completion } from '../model/outcome.js';
import { withinActivity } from './ambient-activity.js';
import type { CallAnswer } from './call-answer.js';
import { whenAborted } from './linked-signal.js';
import { finishUnread, readerLeft, watchReader } from './result-reader.js';
import type { RunningActivity } from './running-activity.js';

/**
 * For an Observable that the body has returned: the same values, then the end once the activity has settled with it. The
 * source is subscribed once for each subscription; the first is the activity's. One that comes after an abort gets the
 * reason, and the source is not subscribed.
 */
export function followReturnedObservable<T>(
  activity: RunningActivity,
  source: Observable<T>,
  answer: CallAnswer | undefined,
): Observable<T> {
  let isRead = false;
  const stopWatching = watchReader(activity, answer, () => {
    if (isRead) return;
    stopListening();
    finishUnread(activity);
  });
  const stopListening = whenAborted(activity.signal, () => {
    stopWatching();
    if (!isRead) void activity.finish({ ok: false, error: activity.signal.reason as unknown });
  });
  activity.onRelease(stopWatching);
  return new Observable<T>((subscriber) => {
    if (activity.signal.aborted) return subscriber.error(activity.signal.reason);
    if (isRead) return source.subscribe(subscriber);
    isRead = true;
    stopListening();
    if (!answer) stopWatching();
    return subscribeWithin(activity, source, { subscriber, answer });
  });
}

/**
 * Subscribes the source within the activity, which ends with it. Aborting the activity unsubscribes the source;
 * unsubscribing aborts the activity.
 * @returns the teardown.
 */
export function subscribeWithin<T>(
  activity: RunningActivity,
  source: Observable<T>,
  { subscriber, answer }: { subscriber: Subscriber<T>; answer?: CallAnswer },
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
    if (!ended) readerLeft(activity);
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
      complete: () =>
        end({ ok: true, value: last }, () => {
          answer?.begin();
          subscriber.complete();
        }),
    }),
  );
  // One that fails at once, before anything else happens, has not begun.
  if (answer) setImmediate(() => ended || answer.begin());
  if (!ended) stopListening = whenAborted(activity.signal, () => queueMicrotask(abort));
  return leave;
}
