import type { CasResult } from './activity-store.js';
import type { SqlValue } from './sql-value.js';
import { mergedUpdate, type UpdateWrite, type Write } from './write.js';

/** Rows and characters of one transaction: enough to share its cost, few enough to hold no lock for long. */
const MAX_BATCH_WRITES = 1_000;
const MAX_BATCH_CHARACTERS = 4_000_000;

/** The order in which one batch writes; within it, writes of one rank keep the order in which they came. */
const RANK: Record<Write['kind'], number> = {
  insert: 0,
  grant: 1,
  update: 2,
  cancel: 2,
  message: 2,
  trim: 2,
  settle: 3,
};
const CHANGE_RANK = RANK.update;

export interface QueuedWrite {
  write: Write;
  readonly promise: Promise<CasResult | undefined>;
  resolve: (result: CasResult | undefined) => void;
  reject: (error: unknown) => void;
}

/**
 * What waits to be written, in the order in which it was asked for. It takes all: how much may wait is bounded where lines
 * come from, since a line that has been taken must not be refused.
 * @see execution/log-memory.ts
 */
export class WriteQueue {
  #waiting: QueuedWrite[] = [];
  #head = 0;
  #added = 0;
  #done = 0;
  /** The update of an activity that still waits, and with which a newer one may be merged. */
  readonly #updates = new Map<string, QueuedWrite>();
  #waiters: { until: number; resolve: () => void }[] = [];

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  add(write: Write): Promise<CasResult | undefined> {
    const queued = queue(write);
    this.#waiting.push(queued);
    this.#added++;
    if (write.kind === 'update') this.#updates.set(write.id, queued);
    if (write.kind === 'settle') this.#updates.delete(write.id);
    return queued.promise;
  }

  /** The promise of a waiting update that has taken up this one; undefined when there is none. */
  mergeUpdate(newer: UpdateWrite): Promise<CasResult | undefined> | undefined {
    const waiting = this.#updates.get(newer.id);
    if (waiting?.write.kind !== 'update') return undefined;
    const { owner } = waiting.write;
    if (newer.owner.fence !== owner.fence || newer.owner.ownerId !== owner.ownerId) return undefined;
    waiting.write = mergedUpdate(waiting.write, newer);
    return waiting.promise;
  }

  /**
   * The next batch. It ends early where a write would overtake an earlier one of the same activity, since a batch
   * writes starts first and ends last.
   */
  take(): QueuedWrite[] {
    const ranks = new Map<string, number>();
    const start = this.#head;
    for (let size = 0; this.#head < this.#waiting.length; this.#head++) {
      const { write } = this.#waiting[this.#head]!;
      const rank = RANK[write.kind];
      const before = ranks.get(write.id);
      if (before !== undefined && (rank < before || (rank === before && rank !== CHANGE_RANK))) break;
      size += charactersOf(write);
      if (this.#head > start && (this.#head - start >= MAX_BATCH_WRITES || size > MAX_BATCH_CHARACTERS)) break;
      ranks.set(write.id, rank);
      if (this.#updates.get(write.id) === this.#waiting[this.#head]) this.#updates.delete(write.id);
    }
    const batch = this.#waiting.slice(start, this.#head);
    if (this.#head === this.#waiting.length || this.#head > MAX_BATCH_WRITES) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  /** Says that a batch has been written or given up. */
  done(batch: readonly QueuedWrite[]): void {
    this.#done += batch.length;
    const ready = this.#waiters.filter(({ until }) => until <= this.#done);
    this.#waiters = this.#waiters.filter(({ until }) => until > this.#done);
    for (const { resolve } of ready) resolve();
  }

  /** Gives out all that waits, for good: nobody waits for it any more. */
  empty(): QueuedWrite[] {
    const waiting = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
    this.#done = this.#added;
    return waiting;
  }

  /** Resolves when all that has been added so far is done. */
  whenDone(): Promise<void> {
    if (this.#done >= this.#added) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ until: this.#added, resolve }));
  }
}

function queue(write: Write): QueuedWrite {
  let resolve!: QueuedWrite['resolve'];
  let reject!: QueuedWrite['reject'];
  const promise = new Promise<CasResult | undefined>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { write, promise, resolve, reject };
}

function charactersOf(write: Write): number {
  switch (write.kind) {
    case 'message':
      return charactersIn(write.message.values);
    case 'trim':
      return charactersIn(write.marker.values);
    case 'insert':
      return charactersIn(write.values);
    case 'update':
      return charactersIn(write.changes);
    default:
      return charactersIn(write.values) + charactersIn(write.changes);
  }
}

function charactersIn(values: readonly (SqlValue | undefined)[]): number {
  let characters = 0;
  for (const value of values) characters += typeof value === 'string' ? value.length : 8;
  return characters;
}
