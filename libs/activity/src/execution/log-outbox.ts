import type { LogCut, LogLine } from './activity-log.js';
import { Fifo } from './fifo.js';
import type { Amount, LogMemory } from './log-memory.js';
import { afterDelay } from './long-timeout.js';

/** How much of one activity is with the store at once: two of its batches, so that it never waits for the next one. */
const WINDOW: Amount = { lines: 2_000, characters: 2_000_000 };
/** Where the cap leaves lines out unwritten, the newest are written so often: most of them would be deleted at once. */
const HURRIED_MS = 200;

export interface OutboxParts {
  /** Lines up to this `seq` are never left out. */
  headEnd: number;
  memory: LogMemory;
  /** Hands a line to the store; resolves when it is durable. */
  append: (line: LogLine) => Promise<unknown>;
  trim: (cut: LogCut) => Promise<unknown>;
  /** Takes some of the lines that were gathered unread meanwhile. @returns whether there are more. */
  takeSomeGathered: () => boolean;
  /** The store has refused something for good. */
  onLost: (error: unknown) => void;
}

/**
 * The lines of one activity on their way to the store, in order. It gives the store some at a time; what the cap leaves
 * out meanwhile is not written at all, so ten million lines cost no more writes than the database has time for.
 */
export class LogOutbox {
  readonly #parts: OutboxParts;
  readonly #head = new Fifo<LogLine>();
  readonly #tail = new Fifo<LogLine>();
  /** The range that the store has not been told of yet. */
  #cut: LogCut | undefined;
  /** All that is not durable: what waits here, and what is with the store. */
  readonly #own: Amount = { lines: 0, characters: 0 };
  readonly #away: Amount = { lines: 0, characters: 0 };
  #room: { promise: Promise<void>; resolve: () => void } | undefined;
  /** Lines come faster than they are worth writing: the newest ones wait until this ends. */
  #stopHurry: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Whether whoever can wait should, and what cannot be kept back is to be left out. */
  get isFull(): boolean {
    return !this.#isClosed && this.#parts.memory.isFullFor(this.#own);
  }

  /** Whether lines come that the cap leaves out unwritten: then they may be gathered unread. */
  get isFlooded(): boolean {
    return this.#stopHurry !== undefined;
  }

  push(line: LogLine, cut?: LogCut): void {
    this.#own.lines++;
    this.#own.characters += line.text.length;
    this.#parts.memory.take(line.text.length);
    (line.seq <= this.#parts.headEnd ? this.#head : this.#tail).push(line);
    if (cut) this.leaveOut(cut);
    this.#hand(WINDOW);
  }

  /** Undefined while there is room; else resolves when there is. Never rejects. */
  whenRoom(): Promise<void> | undefined {
    if (!this.isFull) return undefined;
    if (!this.#room) {
      let resolve!: () => void;
      const promise = new Promise<void>((settle) => (resolve = settle));
      const stop = this.#parts.memory.onRelease(() => this.#tellRoom());
      this.#room = {
        promise,
        resolve: () => {
          stop();
          resolve();
        },
      };
    }
    return this.#room.promise;
  }

  /** Gives the store all that waits here: the end of the activity comes next, or somebody waits for the lines. */
  handAll(): void {
    this.#stopHurry?.();
    this.#stopHurry = undefined;
    this.#hand({ lines: Infinity, characters: Infinity });
  }

  /** The activity has ended: nobody waits for room any more. */
  close(): void {
    this.#isClosed = true;
    this.#stopHurry?.();
    this.#tellRoom();
  }

  /** A range that the cap leaves out, whether its lines have been pushed or not. */
  leaveOut(cut: LogCut): void {
    for (let line = this.#tail.peek(); line && line.seq <= cut.toSeq; line = this.#tail.peek()) {
      this.#tail.shift();
      this.#release(line.text.length);
      this.#stopHurry ??= afterDelay(HURRIED_MS, () => this.#writeNewest());
    }
    this.#cut = this.#cut ? { ...cut, fromSeq: this.#cut.fromSeq } : cut;
  }

  #writeNewest(): void {
    const isMoreGathered = this.#parts.takeSomeGathered();
    this.#stopHurry = undefined;
    this.#hand(WINDOW);
    if (isMoreGathered) this.#stopHurry = afterDelay(HURRIED_MS, () => this.#writeNewest());
  }

  #hand(window: Amount): void {
    while (this.#away.lines < window.lines && this.#away.characters < window.characters) {
      let line = this.#head.shift();
      if (!line) {
        if (this.#stopHurry) return;
        this.#handCut();
        line = this.#tail.shift();
      }
      if (!line) return;
      const characters = line.text.length;
      this.#away.lines++;
      this.#away.characters += characters;
      const landed = (): void => this.#landed(characters);
      this.#parts.append(line).then(landed, (error: unknown) => {
        this.#parts.onLost(error);
        landed();
      });
    }
  }

  #handCut(): void {
    const cut = this.#cut;
    if (!cut) return;
    this.#cut = undefined;
    this.#parts.trim(cut).catch((error: unknown) => this.#parts.onLost(error));
  }

  #landed(characters: number): void {
    this.#away.lines--;
    this.#away.characters -= characters;
    this.#release(characters);
    // In gulps: one line for each that has landed would make batches of one.
    if (this.#away.lines <= WINDOW.lines / 2 && this.#away.characters <= WINDOW.characters / 2) this.#hand(WINDOW);
  }

  #release(characters: number): void {
    this.#own.lines--;
    this.#own.characters -= characters;
    this.#parts.memory.release(characters);
  }

  #tellRoom(): void {
    if (!this.#room || this.isFull) return;
    const { resolve } = this.#room;
    this.#room = undefined;
    resolve();
  }
}
