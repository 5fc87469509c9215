/** Lines and characters (UTF-16 units) that wait to be durable. */
export interface Amount {
  lines: number;
  characters: number;
}

/** For one activity, and for all of an application together. */
const OWN: Amount = { lines: 10_000, characters: 4_000_000 };
const ALL: Amount = { lines: 50_000, characters: 32_000_000 };
/** What an activity may have waiting even when all together are at their bound: a loud one does not silence the others. */
const SHARE: Amount = { lines: 200, characters: 64_000 };

/**
 * What the logs of an application hold in memory until it is durable, so that it stays bounded while the database is
 * slow or away, also with many writers.
 */
export class LogMemory {
  readonly #all: Amount = { lines: 0, characters: 0 };
  readonly #waiters = new Set<() => void>();
  #leftOut = 0;

  /** Lines that wait to be durable, of all activities. */
  get lines(): number {
    return this.#all.lines;
  }

  /** Lines that there was no room for. */
  get leftOut(): number {
    return this.#leftOut;
  }

  leaveOut(): void {
    this.#leftOut++;
  }

  /** Whether an activity that has `own` waiting must wait before it adds more. */
  isFullFor(own: Amount): boolean {
    return reaches(own, OWN) || (reaches(this.#all, ALL) && reaches(own, SHARE));
  }

  get isFull(): boolean {
    return reaches(this.#all, ALL);
  }

  /** @param lines  of bytes that are not lines yet: none. */
  take(characters: number, lines = 1): void {
    this.#all.lines += lines;
    this.#all.characters += characters;
  }

  release(characters: number, lines = 1): void {
    const wasFull = this.isFull;
    this.#all.lines -= lines;
    this.#all.characters -= characters;
    if (wasFull && !this.isFull) for (const tell of this.#waiters) tell();
  }

  /** Calls `tell` whenever there is room for all again, until the function given back is called. */
  onRoom(tell: () => void): () => void {
    this.#waiters.add(tell);
    return () => void this.#waiters.delete(tell);
  }
}

function reaches(amount: Amount, bound: Amount): boolean {
  return amount.lines >= bound.lines || amount.characters >= bound.characters;
}
