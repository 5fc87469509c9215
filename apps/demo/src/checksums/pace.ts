import type { ActivityContext } from 'nestjs-activity';

/** Holds work to a rate, if one is given, and tells the rate that it has. */
export class Pace {
  readonly #startedAt = performance.now();
  #begun = 0;

  constructor(private readonly limit?: number) {}

  /**
   * Resolves when the next item may begin.
   * @throws the signal's reason, as soon as it aborts.
   */
  async wait(activity: ActivityContext): Promise<void> {
    activity.throwIfCancelled();
    if (this.limit === undefined) return;
    const due = this.#startedAt + (1_000 * this.#begun++) / this.limit;
    const early = due - performance.now();
    if (early >= 1) await activity.sleep(early);
  }

  /** Since the start, to two digits. */
  get seconds(): number {
    return Math.round((performance.now() - this.#startedAt) / 10) / 100;
  }

  /** @returns the mean since the start, a whole number. */
  perSecond(done: number): number {
    return Math.round((1_000 * done) / Math.max(1, performance.now() - this.#startedAt));
  }
}
