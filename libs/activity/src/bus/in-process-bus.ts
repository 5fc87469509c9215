import { Subject } from 'rxjs';
import type { ActivityBus, ActivityNotice } from './activity-bus.js';

/** The default bus: reaches this application only, at once. */
export class InProcessBus implements ActivityBus {
  readonly #subject = new Subject<ActivityNotice>();
  readonly notices = this.#subject.asObservable();

  publish(notice: ActivityNotice): void {
    this.#subject.next(notice);
  }

  close(): void {
    this.#subject.complete();
  }
}
