import { setMaxListeners } from 'node:events';
import { ActivityShutdownError } from '../model/cancellation.js';

/** What one activity is told before a shutdown aborts it. */
export class ShutdownNotice {
  readonly #controller = new AbortController();

  constructor(private readonly activityId: string) {
    setMaxListeners(0, this.signal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  give(): void {
    if (!this.signal.aborted) this.#controller.abort(new ActivityShutdownError(this.activityId));
  }
}
