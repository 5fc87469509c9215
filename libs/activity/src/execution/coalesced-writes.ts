import { afterDelay } from './long-timeout.js';

/** After so long without a change the expected end is looked at again; then after twice as long, and so on. */
const FIRST_LOOK_MS = 5_000;

export interface CoalescedWritesParts {
  intervalMs: number;
  /** Writes what there is now. */
  write: () => void;
  /** When the activity is expected to end, as it is known now. */
  expectedEndAt: () => Date | null;
}

/**
 * Writes changes at most once an interval: the first goes out at its end, those in between ride along. An expected end
 * that moves away while nothing changes, because the work has stalled, is written too, less and less often.
 */
export class CoalescedWrites {
  readonly #parts: CoalescedWritesParts;
  #stopWaiting: (() => void) | undefined;
  #stopLooking: (() => void) | undefined;

  constructor(parts: CoalescedWritesParts) {
    this.#parts = parts;
  }

  changed(): void {
    if (this.#stopWaiting) return;
    this.#stopLooking?.();
    this.#stopWaiting = afterDelay(this.#parts.intervalMs, () => {
      this.#stopWaiting = undefined;
      this.#write(FIRST_LOOK_MS);
    });
  }

  /** Writes what waits now, and not at the end of the interval. */
  flush(): void {
    if (!this.#stopWaiting) return;
    this.#stopWaiting();
    this.#stopWaiting = undefined;
    this.#write(FIRST_LOOK_MS);
  }

  /** Nothing more is written, not even what waits: the end brings it along. */
  stop(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    this.#stopLooking?.();
  }

  #write(nextLookMs: number): void {
    const expected = this.#parts.expectedEndAt();
    this.#parts.write();
    if (expected) this.#lookAfter(nextLookMs, expected);
  }

  #lookAfter(ms: number, written: Date): void {
    this.#stopLooking = afterDelay(ms, () => {
      const expected = this.#parts.expectedEndAt();
      if (expected && expected > written) this.#write(2 * ms);
      else this.#lookAfter(2 * ms, written);
    });
  }
}
