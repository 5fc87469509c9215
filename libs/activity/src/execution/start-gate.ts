import { setMaxListeners } from 'node:events';
import type { Origin } from '../model/activity.js';
import { ActivityShutDownError } from '../model/errors.js';

/**
 * - `all`.
 * - `children`: the application is about to stop. What runs may finish, with all that it takes to finish.
 * - `hooks`: that has ended, and the application's own hooks are called; what they call is needed for the end.
 * - `nothing`: the store is about to be closed.
 */
export type Admitted = 'all' | 'children' | 'hooks' | 'nothing';

/** How code of the application calls; all others are requests, messages, jobs and timers. */
const KINDS_OF_HOOKS: ReadonlySet<string | null> = new Set([null, 'event', 'command', 'query']);

/** Refuses what must not begin any more while the application stops. */
export class StartGate {
  readonly #shutdown = new AbortController();
  #admitted: Admitted = 'all';

  constructor() {
    // Each poller and each stream of the application may listen.
    setMaxListeners(0, this.shutdown);
  }

  /** Aborts when the application begins to stop. */
  get shutdown(): AbortSignal {
    return this.#shutdown.signal;
  }

  admitOnly(admitted: Admitted): void {
    this.#admitted = admitted;
    if (admitted !== 'all' && !this.shutdown.aborted) this.#shutdown.abort(new ActivityShutDownError());
  }

  /** @throws {ActivityShutDownError} */
  pass(type: string, call: { isChild: boolean; origin: Origin | undefined }): void {
    if (this.#admitted === 'all' || (call.isChild && this.#admitted !== 'nothing')) return;
    if (this.#admitted === 'hooks' && KINDS_OF_HOOKS.has(call.origin?.kind ?? null)) return;
    throw new ActivityShutDownError(type);
  }
}
