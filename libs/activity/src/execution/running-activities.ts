import type { RunningActivity } from './running-activity.js';

/**
 * The activities of this application whose body runs or waits. One that was settled without its body stays known until
 * the body ends, so that what it still starts is its child; a shutdown does not wait for it.
 */
export class RunningActivities {
  readonly #byId = new Map<string, RunningActivity>();
  readonly #managed = new Set<RunningActivity>();
  #onAdded: ((activity: RunningActivity) => void) | undefined;

  /** How many are not settled yet, or whose body can still be waited for. */
  get size(): number {
    return this.#managed.size;
  }

  counts(): { running: number; queued: number } {
    let queued = 0;
    for (const { record } of this.#managed) if (record.status === 'queued') queued++;
    return { running: this.#managed.size - queued, queued };
  }

  add(activity: RunningActivity): void {
    this.#byId.set(activity.id, activity);
    this.#managed.add(activity);
    this.#onAdded?.(activity);
  }

  /** The body has ended. */
  delete(activity: RunningActivity): void {
    this.#byId.delete(activity.id);
    this.abandon(activity);
  }

  /** Settled without its body: nobody waits for it any more. */
  abandon(activity: RunningActivity): void {
    this.#managed.delete(activity);
  }

  get(id: string): RunningActivity | undefined {
    return this.#byId.get(id.toLowerCase());
  }

  all(): RunningActivity[] {
    return [...this.#managed];
  }

  /** Calls `tell` with each that is added from now on; for one listener, which stays. */
  onAdded(tell: (activity: RunningActivity) => void): void {
    this.#onAdded = tell;
  }
}
