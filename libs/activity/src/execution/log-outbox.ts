import type { LogCut, LogLine } from './activity-log.js';
import { Fifo } from './fifo.js';
import type { Amount, LogMemory } from './log-memory.js';
import { afterDelay } from './long-timeout.js';

/** How much of one activity is with the store at once: two of its batches, so that it never waits for the next one. */
const WINDOW: Amount = { lines: 2_000, characters: 2_000_000 };
/** Where the cap leaves lines out unwritten, the newest are written so often: most of them would be deleted at once. */
const HURRIED_MS = 200;
/** Lines that are handed over together: one promise for all of them, and half of a batch of the store's. */
const AT_ONCE: Amount = { lines: 500, characters: 1_000_000 };

export interface OutboxParts {
  /** Lines up to this `seq` are never left out. */
  headEnd: number;
  memory: LogMemory;
  /** Hands lines to the store; resolves when they are durable. */
  append: (lines: readonly LogLine[]) => Promise<unknown>;
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
  #isToHand = false;

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
    this.#handSoon();
  }

  /** Undefined while there is room; else resolves when there is. Never rejects. */
  whenRoom(): Promise<void> | undefined {
    if (!this.isFull) return undefined;
    if (!this.#room) {
      let resolve!: () => void;
      const promise = new Promise<void>((settle) => (resolve = settle));
      const stop = this.#parts.memory.onRoom(() => this.#tellRoom());
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

  /** What is said in one go is handed over together. */
  #handSoon(): void {
    if (this.#isToHand) return;
    this.#isToHand = true;
    queueMicrotask(() => {
      this.#isToHand = false;
      this.#hand(WINDOW);
    });
  }

  #hand(window: Amount): void {
    while (this.#away.lines < window.lines && this.#away.characters < window.characters) {
      const lines = this.#take(window);
      if (lines.length === 0) return;
      const given: Amount = { lines: lines.length, characters: charactersOf(lines) };
      this.#away.lines += given.lines;
      this.#away.characters += given.characters;
      const landed = (): void => this.#landed(given);
      this.#parts.append(lines).then(landed, (error: unknown) => {
        this.#parts.onLost(error);
        landed();
      });
    }
  }

  /** The next lines in order, as many as are handed over together. A cut is handed over by the way. */
  #take(window: Amount): LogLine[] {
    const lines: LogLine[] = [];
    const mostLines = Math.min(AT_ONCE.lines, window.lines - this.#away.lines);
    const mostCharacters = Math.min(AT_ONCE.characters, window.characters - this.#away.characters);
    for (let characters = 0; lines.length < mostLines && characters < mostCharacters;) {
      let line = this.#head.shift();
      if (!line) {
        if (this.#stopHurry) break;
        // It goes before the lines behind it, and after those before it.
        if (this.#cut && lines.length > 0) break;
        this.#handCut();
        line = this.#tail.shift();
      }
      if (!line) break;
      lines.push(line);
      characters += line.text.length;
    }
    return lines;
  }

  #handCut(): void {
    const cut = this.#cut;
    if (!cut) return;
    this.#cut = undefined;
    this.#parts.trim(cut).catch((error: unknown) => this.#parts.onLost(error));
  }

  #landed({ lines, characters }: Amount): void {
    this.#away.lines -= lines;
    this.#away.characters -= characters;
    this.#release(characters, lines);
    // In gulps: a few lines for each few that have landed would make small batches.
    if (this.#away.lines <= WINDOW.lines / 2 && this.#away.characters <= WINDOW.characters / 2) this.#hand(WINDOW);
  }

  #release(characters: number, lines = 1): void {
    this.#own.lines -= lines;
    this.#own.characters -= characters;
    this.#parts.memory.release(characters, lines);
    this.#tellRoom();
  }

  #tellRoom(): void {
    if (!this.#room || this.isFull) return;
    const { resolve } = this.#room;
    this.#room = undefined;
    resolve();
  }
}

function charactersOf(lines: readonly LogLine[]): number {
  let characters = 0;
  for (const { text } of lines) characters += text.length;
  return characters;
}
