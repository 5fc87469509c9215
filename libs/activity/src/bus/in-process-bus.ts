import { Observable, Subject } from 'rxjs';
import type { ActivityBus, ActivityNotice } from './activity-bus.js';

/** Reaches this application only, at once. */
export class InProcessBus implements Pick<ActivityBus, 'notices' | 'publish' | 'hints'> {
  readonly #notices = new Subject<ActivityNotice>();
  /** By id: many may wait and much may end, and each end is the business of few. */
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly notices = this.#notices.asObservable();

  publish(notice: ActivityNotice): void {
    this.#notices.next(notice);
    const waiting = this.#waiting.get(notice.activityId);
    if (waiting) for (const wake of waiting) wake();
  }

  hints(activityId: string): Observable<void> {
    return new Observable((subscriber) => {
      const wake = (): void => subscriber.next();
      const waiting = this.#waiting.get(activityId) ?? new Set();
      this.#waiting.set(activityId, waiting.add(wake));
      return () => {
        if (waiting.delete(wake) && waiting.size === 0) this.#waiting.delete(activityId);
      };
    });
  }
}
