import type { RunningActivity } from './running-activity.js';

/**
 * The activities of this application whose body runs or waits. One that was settled without its body stays known until
 * the body ends, so that what it still starts is its child; a shutdown does not wait for it.
 */
export class RunningActivities {
  readonly #byId = new Map<string, RunningActivity>();
  /** Settled without their body, which has not come back. */
  readonly #abandoned = new Set<RunningActivity>();
  #onAdded: ((activity: RunningActivity) => void) | undefined;

  /** How many are not settled yet, or whose body can still be waited for. */
  get size(): number {
    return this.#byId.size - this.#abandoned.size;
  }

  counts(): { running: number; queued: number } {
    let queued = 0;
    for (const { record } of this.all()) if (record.status === 'queued') queued++;
    return { running: this.size - queued, queued };
  }

  add(activity: RunningActivity): void {
    this.#byId.set(activity.id, activity);
    this.#onAdded?.(activity);
  }

  /** The body has ended. */
  delete(activity: RunningActivity): void {
    if (this.#abandoned.size > 0) this.#abandoned.delete(activity);
    this.#byId.delete(activity.id);
  }

  /** Settled without its body: nobody waits for it any more. */
  abandon(activity: RunningActivity): void {
    if (this.#byId.get(activity.id) === activity) this.#abandoned.add(activity);
  }

  get(id: string): RunningActivity | undefined {
    return this.#byId.get(id.toLowerCase());
  }

  all(): RunningActivity[] {
    return [...this.#byId.values()].filter((activity) => !this.#abandoned.has(activity));
  }

  /** Calls `tell` with each that is added from now on; for one listener, which stays. */
  onAdded(tell: (activity: RunningActivity) => void): void {
    this.#onAdded = tell;
  }
}
