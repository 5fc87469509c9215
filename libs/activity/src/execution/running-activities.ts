import type { RunningActivity } from './running-activity.js';

/** The activities whose body this application runs, or that wait in it. */
export class RunningActivities {
  readonly #byId = new Map<string, RunningActivity>();
  #whenEmpty: (() => void)[] = [];

  get size(): number {
    return this.#byId.size;
  }

  add(activity: RunningActivity): void {
    this.#byId.set(activity.id, activity);
  }

  delete(activity: RunningActivity): void {
    this.#byId.delete(activity.id);
    if (this.#byId.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  get(id: string): RunningActivity | undefined {
    return this.#byId.get(id.toLowerCase());
  }

  all(): RunningActivity[] {
    return [...this.#byId.values()];
  }

  /** Resolves when the last body has ended. */
  whenEmpty(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenEmpty.push(resolve));
  }
}
