import type { SlotStanding } from './activity-slots.js';
import type { CasResult } from './activity-store.js';
import type { SqlValue } from './sql-value.js';
import { mergedUpdate, type LinesInsert, type UpdateWrite, type Write } from './write.js';
import type { WaitingWrites } from '../model/stats.js';

/** Rows and characters of one transaction: enough to share its cost, few enough to hold no lock for long. */
const MAX_BATCH_ROWS = 1_000;
/** A row of an activity takes as long as so many lines: SQLite keeps the event loop for the whole of a batch. */
const LINES_OF_A_ROW = 4;
const MAX_BATCH_CHARACTERS = 4_000_000;

/** The order in which one batch writes; within it, writes of one rank keep the order in which they came. */
const RANK: Record<Write['kind'], number> = {
  insert: 0,
  enter: 0,
  hold: 1,
  grant: 1,
  update: 2,
  cancel: 2,
  lines: 2,
  trim: 2,
  putBack: 3,
  settle: 3,
  leave: 4,
};
const CHANGE_RANK = RANK.update;
/** Of a line, its id, number, time, level and source. */
const CHARACTERS_BESIDE_TEXT = 64;
const CHARACTERS_OF_SLOT = 256;

const GROUP: Record<Write['kind'], keyof WaitingWrites> = {
  insert: 'starts',
  enter: 'starts',
  hold: 'changes',
  leave: 'changes',
  grant: 'changes',
  update: 'changes',
  cancel: 'changes',
  lines: 'lines',
  trim: 'lines',
  putBack: 'ends',
  settle: 'ends',
};

/** How a change of status went, or how one stands at its limit. */
export type WriteResult = CasResult | SlotStanding | undefined;

export interface QueuedWrite {
  write: Write;
  /** Rows of it: of lines there are several. */
  rows: number;
  characters: number;
  /** It may have been committed before, unheard. */
  retried: boolean;
  readonly promise: Promise<WriteResult>;
  resolve: (result: WriteResult) => void;
  reject: (error: unknown) => void;
}

/**
 * What waits to be written, in the order in which it was asked for. It takes all: how much may wait is bounded where it
 * comes from, since what belongs to an activity that has been taken must not be refused.
 * Writes of a row that somebody else has locked are kept aside, in their order, until it is free.
 * @see docs/decisions/0017-what-waits-is-bounded-by-its-starts.md
 */
export class WriteQueue {
  /** Undefined: what stood there has been put aside. */
  #waiting: (QueuedWrite | undefined)[] = [];
  #head = 0;
  #added = 0;
  #done = 0;
  /** Places of the batch that was taken last. */
  #taken = 0;
  #characters = 0;
  #releases = 0;
  readonly #counts: WaitingWrites = { starts: 0, ends: 0, changes: 0, lines: 0 };
  /** By activity. */
  readonly #held = new Map<string, QueuedWrite[]>();
  /** The update of an activity that still waits, and with which a newer one may be merged. */
  readonly #updates = new Map<string, QueuedWrite>();
  #waiters: { until: number; resolve: () => void }[] = [];

  /** True when there is nothing to take. */
  get isEmpty(): boolean {
    return this.#waiting.length === this.#head;
  }

  /** How many wait, with those that are held back. */
  get size(): number {
    return this.#counts.starts + this.#counts.ends + this.#counts.changes + this.#counts.lines;
  }

  get characters(): number {
    return this.#characters;
  }

  get counts(): Readonly<WaitingWrites> {
    return this.#counts;
  }

  get heldIds(): string[] {
    return [...this.#held.keys()];
  }

  get heldBack(): number {
    let count = 0;
    for (const writes of this.#held.values()) count += writes.length;
    return count;
  }

  /** What is held back, in no order. */
  get heldWrites(): Write[] {
    return [...this.#held.values()].flatMap((writes) => writes.map(({ write }) => write));
  }

  add(write: Write): Promise<WriteResult> {
    const queued = queue(write);
    const held = this.#held.size > 0 ? this.#held.get(write.id) : undefined;
    if (held) held.push(queued);
    else this.#enqueue(queued);
    this.#count(queued, 1);
    if (write.kind === 'update') this.#updates.set(write.id, queued);
    if (write.kind === 'settle' || write.kind === 'putBack') this.#updates.delete(write.id);
    return queued.promise;
  }

  /** The promise of a waiting update that has taken up this one; undefined when there is none. */
  mergeUpdate(newer: UpdateWrite): Promise<WriteResult> | undefined {
    const waiting = this.#updates.get(newer.id);
    if (waiting?.write.kind !== 'update') return undefined;
    const { owner } = waiting.write;
    if (newer.owner.fence !== owner.fence || newer.owner.ownerId !== owner.ownerId) return undefined;
    this.#count(waiting, -1);
    waiting.write = mergedUpdate(waiting.write, newer);
    waiting.characters = charactersOf(waiting.write);
    this.#count(waiting, 1);
    return waiting.promise;
  }

  /**
   * The next batch. It ends early where a write would overtake an earlier one of the same activity, since a batch
   * writes starts first and ends last.
   */
  take(): QueuedWrite[] {
    const ranks = new Map<string, number>();
    const batch: QueuedWrite[] = [];
    const start = this.#head;
    for (let size = 0, rows = 0; this.#head < this.#waiting.length; this.#head++) {
      const queued = this.#waiting[this.#head];
      if (!queued) continue;
      const { write } = queued;
      const rank = RANK[write.kind];
      const before = ranks.get(write.id);
      if (before !== undefined && (rank < before || (rank === before && rank !== CHANGE_RANK))) break;
      size += queued.characters;
      rows += write.kind === 'lines' ? queued.rows : LINES_OF_A_ROW;
      if (batch.length > 0 && (rows > MAX_BATCH_ROWS || size > MAX_BATCH_CHARACTERS)) break;
      ranks.set(write.id, rank);
      if (this.#updates.get(write.id) === queued) this.#updates.delete(write.id);
      this.#count(queued, -1);
      batch.push(queued);
    }
    this.#taken = this.#head - start;
    if (this.#head === this.#waiting.length || this.#head > MAX_BATCH_ROWS) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  /** Says that the batch that was taken last has been written, given up or put aside. */
  done(): void {
    this.#done += this.#taken;
    this.#taken = 0;
    const ready = this.#waiters.filter(({ until }) => until <= this.#done);
    this.#waiters = this.#waiters.filter(({ until }) => until > this.#done);
    for (const { resolve } of ready) resolve();
  }

  /**
   * Puts aside the writes of these activities: those of a batch that was taken, then all that waits or comes.
   * @returns the rest of the batch.
   */
  hold(ids: ReadonlySet<string>, batch: readonly QueuedWrite[]): QueuedWrite[] {
    const rest: QueuedWrite[] = [];
    for (const queued of batch) {
      if (ids.has(queued.write.id)) {
        this.#count(queued, 1);
        this.#putAside(queued);
        // A newer one may be merged with it again.
        if (queued.write.kind === 'update' && !this.#updates.has(queued.write.id))
          this.#updates.set(queued.write.id, queued);
      } else rest.push(queued);
    }
    for (let place = this.#head; place < this.#waiting.length; place++) {
      const queued = this.#waiting[place];
      if (!queued || !ids.has(queued.write.id)) continue;
      this.#putAside(queued);
      this.#waiting[place] = undefined;
    }
    return rest;
  }

  /** Puts what was held back for these activities at the end of the line. */
  release(ids: Iterable<string>): void {
    for (const id of ids) {
      for (const queued of this.#held.get(id) ?? []) this.#enqueue(queued);
      this.#held.delete(id);
    }
    this.#releases++;
  }

  /** Gives out all that waits, for good: nobody waits for it any more. */
  empty(): QueuedWrite[] {
    const waiting = [...this.#waiting.slice(this.#head), ...[...this.#held.values()].flat()];
    this.#waiting = [];
    this.#head = 0;
    this.#held.clear();
    for (const { resolve } of this.#waiters.splice(0)) resolve();
    this.#done = this.#added;
    return waiting.filter((queued) => queued !== undefined);
  }

  /**
   * Resolves when all that has been added so far is done.
   * @param id  of what is held back, only what is of this activity is waited for; left out: all of it.
   */
  async whenDone(id?: string): Promise<void> {
    let releases: number;
    do {
      releases = this.#releases;
      if (this.#done < this.#added) {
        await new Promise<void>((resolve) => this.#waiters.push({ until: this.#added, resolve }));
      }
      const held = id === undefined ? [...this.#held.values()].flat() : (this.#held.get(id) ?? []);
      await Promise.allSettled(held.map(({ promise }) => promise));
    } while (releases !== this.#releases && this.#done < this.#added);
  }

  #enqueue(queued: QueuedWrite): void {
    this.#waiting.push(queued);
    this.#added++;
  }

  #putAside(queued: QueuedWrite): void {
    const held = this.#held.get(queued.write.id);
    if (held) held.push(queued);
    else this.#held.set(queued.write.id, [queued]);
  }

  #count({ write, rows, characters }: QueuedWrite, by: 1 | -1): void {
    this.#counts[GROUP[write.kind]] += by * rows;
    this.#characters += by * characters;
  }
}

export function queue(write: Write): QueuedWrite {
  let resolve!: QueuedWrite['resolve'];
  let reject!: QueuedWrite['reject'];
  const promise = new Promise<WriteResult>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  const rows = write.kind === 'lines' ? write.lines.lines.length : 1;
  return { write, rows, characters: charactersOf(write), retried: false, promise, resolve, reject };
}

function charactersOf(write: Write): number {
  switch (write.kind) {
    case 'lines':
      return charactersOfLines(write.lines);
    case 'trim':
      return charactersOfLines(write.marker);
    case 'insert':
      return charactersIn(write.values);
    case 'update':
      return charactersIn(write.changes);
    case 'enter':
    case 'hold':
    case 'leave':
      return CHARACTERS_OF_SLOT;
    default:
      return charactersIn(write.values) + charactersIn(write.changes);
  }
}

function charactersIn(values: readonly (SqlValue | undefined)[]): number {
  let characters = 0;
  for (const value of values) characters += typeof value === 'string' ? value.length : 8;
  return characters;
}

/** Of the other columns there is little to tell apart. */
function charactersOfLines({ lines }: LinesInsert): number {
  let characters = 0;
  for (const [, , , text] of lines) characters += text.length + CHARACTERS_BESIDE_TEXT;
  return characters;
}
