/** Too little to say anything before both are reached. */
const LEAST_MS = 2_000;
const LEAST_ADVANCES = 3;
/** Reports closer together are taken as one. */
const SHORTEST_MS = 100;
/** What is remembered: the last quarter of the time, and ten seconds at least. */
const LEAST_MEMORY_MS = 10_000;
const MEMORY_SHARE = 1 / 4;
const LONGEST_WAIT_MS = 365 * 24 * 3_600_000;

/**
 * How fast something grows, smoothed: an average over time in which what is older counts less and less. What was there at
 * the first report was done before it and is not counted. Silence is a stall once it has lasted twice as long as is usual
 * between two advances: from then on the rate falls, and the expected end moves away.
 * All times are milliseconds of one clock that never runs back, given by the caller.
 * @see docs/decisions/0012-progress-is-what-was-reported.md
 */
export class RateMeter {
  #startedAt: number | undefined;
  #foldedAt = 0;
  /** What had been done when it was last folded in, and now. */
  #folded = 0;
  #done = 0;
  #advances = 0;
  /** Weighted sum of the rates so far, and of their weights: their quotient is not drawn to the first value or to zero. */
  #sum = 0;
  #weight = 0;

  /** @param done  how much there is of it now; less than before is a correction, and no progress. */
  observe(done: number, at: number): void {
    if (this.#startedAt === undefined) {
      this.#startedAt = this.#foldedAt = at;
      this.#folded = this.#done = done;
      return;
    }
    if (done < this.#done) this.#folded -= this.#done - done;
    this.#done = done;
    const elapsed = at - this.#foldedAt;
    const advance = done - this.#folded;
    if (elapsed < SHORTEST_MS || advance <= 0) return;
    const kept = this.#kept(elapsed, at);
    this.#sum = this.#sum * kept + (advance / elapsed) * (1 - kept);
    this.#weight = this.#weight * kept + (1 - kept);
    this.#foldedAt = at;
    this.#folded = done;
    this.#advances++;
  }

  /** A second, or null while there is too little to say. */
  perSecond(at: number): number | null {
    const rate = this.#perMs(at);
    return rate === null ? null : Number((rate * 1_000).toPrecision(4));
  }

  /** When `remaining` more will have been done, at the rate of late; null while that is unknown or a year away. */
  endOf(remaining: number, at: number): number | null {
    const rate = this.#perMs(at);
    if (rate === null || rate <= 0 || !(remaining > 0)) return null;
    const left = remaining / rate;
    // Within the usual silence the work is taken to go on as it did.
    return left > LONGEST_WAIT_MS ? null : Math.round(Math.max(at, this.#foldedAt + this.#stalled(at) + left));
  }

  #perMs(at: number): number | null {
    if (this.#startedAt === undefined || this.#advances < LEAST_ADVANCES) return null;
    if (at - this.#startedAt < LEAST_MS) return null;
    const kept = this.#kept(this.#stalled(at), at);
    return (this.#sum * kept) / (this.#weight * kept + (1 - kept));
  }

  /** How much of the silence since the last advance is more than usual. */
  #stalled(at: number): number {
    const usual = (this.#foldedAt - this.#startedAt!) / this.#advances;
    return Math.max(0, at - this.#foldedAt - 2 * usual);
  }

  /** Which part of the past is still remembered after `elapsed` more. */
  #kept(elapsed: number, at: number): number {
    const memory = Math.max(LEAST_MEMORY_MS, (at - this.#startedAt!) * MEMORY_SHARE);
    return Math.exp(-elapsed / memory);
  }
}
