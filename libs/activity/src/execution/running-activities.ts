import type { RunningActivity } from './running-activity.js';

/**
 * The activities of this application whose body runs or waits. One that was settled without its body stays known until
 * the body ends, so that what it still starts is its child; a shutdown does not wait for it.
 */
export class RunningActivities {
  readonly #byId = new Map<string, RunningActivity>();
  readonly #managed = new Set<RunningActivity>();
  #whenEmpty: (() => void)[] = [];

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
  }

  /** The body has ended. */
  delete(activity: RunningActivity): void {
    this.#byId.delete(activity.id);
    this.abandon(activity);
  }

  /** Settled without its body: nobody waits for it any more. */
  abandon(activity: RunningActivity): void {
    if (!this.#managed.delete(activity) || this.#managed.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  get(id: string): RunningActivity | undefined {
    return this.#byId.get(id.toLowerCase());
  }

  all(): RunningActivity[] {
    return [...this.#managed];
  }

  /** Resolves when nothing is left to wait for. */
  whenEmpty(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenEmpty.push(resolve));
  }
}
