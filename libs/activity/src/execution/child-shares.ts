/** One child's part of its parent's progress. */
export interface ChildShare {
  /** Percent, as the child says it; null while it does not know. */
  report(percent: number | null): void;
  /** It has ended, however: nothing of it remains to be waited for. */
  end(): void;
}

/**
 * Adds up what children say: each counts by its weight, a part while it runs and all of it once it has ended. Children
 * that are announced and have not begun count as not done, so that the sum does not jump when they begin.
 */
export class ChildShares {
  /** The weight of all that are to come, or null while that is not known; more of them than that raise the total. */
  expected: number | null = null;
  #begun = 0;
  #ended = 0;
  #done = 0;

  get total(): number | null {
    return this.expected === null ? null : Math.max(this.expected, this.#begun);
  }

  /** Weight of those that have ended: their number, where each counts as one. */
  get ended(): number {
    return this.#ended;
  }

  /** The same, with the parts of those that run. */
  get done(): number {
    return this.#done;
  }

  /** @param changed  called after each change. */
  add(weight: number, changed: () => void): ChildShare {
    let part = 0;
    let hasEnded = false;
    const set = (next: number): void => {
      if (hasEnded || next <= part) return;
      this.#done += (next - part) * weight;
      part = next;
    };
    this.#begun += weight;
    return {
      report: (percent) => {
        set((percent ?? 0) / 100);
        changed();
      },
      end: () => {
        if (hasEnded) return;
        set(1);
        hasEnded = true;
        this.#ended += weight;
        changed();
      },
    };
  }
}
