import { AsyncResource } from 'node:async_hooks';
// Not the global: an app's test that fakes timers must not make its calls wait for the tracker.
import { setTimeout } from 'node:timers';

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Something that is waited for, until it is there or the time is over. */
export interface Wait {
  /** It is there. @returns false when the time was over before. */
  end(): boolean;
}

/**
 * Waits that all may take equally long: the one that began first is over first, so one timer serves all of them. With a
 * timer for each, thousands of calls a second would set twice as many, and take them away again.
 * @see the lists of timers by duration within Node's lib/internal/timers.js
 */
export class SharedDeadline {
  readonly #afterMs: number;
  /** The ends of a ring: what began first stands after it. */
  readonly #ring = new ListedWait(0, () => undefined);
  /** Its timer serves all callers: it must keep nothing of the one that has set it. */
  readonly #apart = new AsyncResource('ActivityDeadline');
  #isSet = false;

  /** @param afterMs  how long each may take. */
  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  /** @param onLate  called once the time is over, if the wait has not been ended. It keeps no process alive. */
  wait(onLate: () => void): Wait {
    const wait = new ListedWait(performance.now() + this.#afterMs, onLate);
    wait.listBefore(this.#ring);
    if (!this.#isSet) this.#set(this.#afterMs);
    return wait;
  }

  #set(leftMs: number): void {
    this.#isSet = true;
    this.#apart.runInAsyncScope(() => {
      setTimeout(() => this.#endOverdue(), Math.min(Math.ceil(leftMs), LONGEST_TIMER_MS)).unref();
    });
  }

  #endOverdue(): void {
    this.#isSet = false;
    const now = performance.now();
    let first = this.#ring.next;
    for (; first !== this.#ring && first.endsAt <= now; first = this.#ring.next) {
      if (first.end()) first.onLate();
    }
    if (first !== this.#ring) this.#set(first.endsAt - now);
  }
}

/** One of a doubly linked ring, which it can leave from any place. */
class ListedWait implements Wait {
  next: ListedWait = this;
  #previous: ListedWait = this;

  constructor(
    readonly endsAt: number,
    readonly onLate: () => void,
  ) {}

  listBefore(other: ListedWait): void {
    this.next = other;
    this.#previous = other.#previous;
    other.#previous.next = this;
    other.#previous = this;
  }

  end(): boolean {
    if (this.next === this) return false;
    this.#previous.next = this.next;
    this.next.#previous = this.#previous;
    this.next = this;
    this.#previous = this;
    return true;
  }
}
