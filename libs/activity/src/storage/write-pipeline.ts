// Not the global: an app's test that fakes timers must not stop its tracker from writing.
import { setImmediate } from 'node:timers';
import { ActivityStoreError } from '../model/errors.js';
import type { WriteStats } from '../model/stats.js';
import { errorText } from '../model/stored-error.js';
import type { SlotGrant } from './activity-slots.js';
import type { Database } from './database.js';
import { isLockTimeout, isMissingTable, isTransient } from './database-errors.js';
import { RecentWindow } from './recent-window.js';
import { backoff, endsWithin } from './retry.js';
import { batchOf } from './write-batch.js';
import type { LinesWrite, UpdateWrite, Write } from './write.js';
import { queue, WriteQueue, type QueuedWrite, type WriteResult } from './write-queue.js';
import type { WriteOutcome } from './write-plan.js';

/** Attempts before an outage is told: about a second. What is shorter is a lock of somebody. */
const ATTEMPTS_BEFORE_WARNING = 6;
/** A suite of tests may drop the tables again and again; tables that stay away are no accident. */
const MAX_REMAKES = 3;
/** A batch that takes longer says that the database is away, though it has not failed. */
const LONG_FLUSH_MS = 1_000;
/** What waits for one or two batches has its turn soon. */
const CAUGHT_UP_WRITES = 2_000;
/** Beyond it no start is taken, however few the writes: large metadata, long lines. */
const MAX_WAITING_CHARACTERS = 64_000_000;
const HELD_ATTEMPT = 4;

export interface PipelineParts {
  write: Database['write'];
  lockedAmong: Database['lockedAmong'];
  /** How many writes may wait before no further start is taken. */
  maxWaitingWrites: number;
  /** Told of slots that were handed to those who had waited for them. */
  onGranted?: (grants: readonly SlotGrant[]) => void;
  /** Makes dropped tables again. False: it may not. */
  remakeTables: () => Promise<boolean>;
  logger: { warn(text: string): void };
}

/**
 * Group commit: all writes of this process go through one queue, and each flush takes what waits and writes it in one
 * transaction, while the next ones gather. Each promise resolves when its row is durable.
 * What fails for the moment is tried again, for as long as it takes; what the database refuses is found by halving the
 * batch, tried in a poorer form and, if there is none, rejected alone. Where somebody has locked a row, only what is for
 * that row waits.
 * @see Design §5.8; docs/decisions/0017-what-waits-is-bounded-by-its-starts.md; DeWitt et al., "Implementation techniques for main memory database systems" (1984), group commit
 */
export class WritePipeline {
  readonly #parts: PipelineParts;
  readonly #queue = new WriteQueue();
  readonly #stop = new AbortController();
  #isRunning = false;
  #landing: readonly QueuedWrite[] = [];
  #isWatchingHeld = false;
  #isAway = false;
  #isCatchingUp = false;
  #failingSince: number | undefined;
  #landingSince: number | undefined;
  /** Starts that were left out since there was no room last. */
  #leftOut = 0;
  readonly #totals = { batches: 0, writes: 0, retries: 0, refused: 0, droppedStarts: 0 };
  readonly #batchSizes = new RecentWindow();
  readonly #flushTimes = new RecentWindow();

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** @throws {ActivityStoreError} when the database refuses it, a start finds no room, or the store is closed. */
  add(write: Write): Promise<WriteResult> {
    if (this.#stop.signal.aborted) return Promise.reject(closed());
    if (write.kind === 'insert' && this.#isFull) return Promise.reject(this.#leaveOut());
    const promise = this.#queue.add(write);
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  /** Several updates of one activity that wait become one, with the newest values. */
  update(write: UpdateWrite): Promise<WriteResult> {
    return this.#queue.mergeUpdate(write) ?? this.add(write);
  }

  /**
   * Resolves when everything added before has been written or given up.
   * @param id  does not wait for locked rows of other activities.
   */
  flush(id?: string): Promise<void> {
    return this.#queue.whenDone(id);
  }

  /** Writes have failed for about a second, or so many wait since then that a new one would wait long for its turn. */
  get isAway(): boolean {
    return this.#isAway || this.#isCatchingUp;
  }

  stats(): WriteStats {
    return {
      ...this.#totals,
      waiting: { ...this.#queue.counts },
      inFlight: rowsOf(this.#landing),
      heldBack: this.#queue.heldBack,
      batchSize: this.#batchSizes.figures(),
      flushMs: this.#flushTimes.figures(),
      awaySince: this.#awaySince,
    };
  }

  /** Writes what waits, for at most `timeoutMs`; rejects what is left. Nothing is taken any more. */
  async close(timeoutMs: number): Promise<void> {
    await endsWithin(this.flush(), timeoutMs);
    this.#stop.abort();
    rejectAll([...this.#landing, ...this.#queue.empty()], closed());
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    do {
      // Whatever is asked for in this turn of the event loop goes along, and between two batches others get their turn.
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#landing = this.#queue.take();
      this.#landingSince = Date.now();
      await this.#land(
        this.#landing,
        this.#landing.some(({ retried }) => retried),
      );
      this.#landingSince = undefined;
      this.#landing = [];
      this.#queue.done();
      if (this.#queue.size < CAUGHT_UP_WRITES) this.#isCatchingUp = false;
      if (this.#leftOut > 0 && !this.#isFull) this.#tellLeftOut();
    } while (!this.#queue.isEmpty);
    this.#isRunning = false;
  }

  /** In pieces, in their order: at first all of it is one; what is refused for good is halved until it stands alone. */
  async #land(batch: readonly QueuedWrite[], retried: boolean): Promise<void> {
    let pieces = [batch];
    let remakes = 0;
    for (let attempt = 0; pieces.length > 0 && !this.#stop.signal.aborted;) {
      const [piece, ...others] = pieces as [readonly QueuedWrite[], ...(readonly QueuedWrite[])[]];
      const failure = await this.#try(piece, retried);
      if (!failure) {
        pieces = others;
        attempt = 0;
        continue;
      }
      const { error } = failure;
      if (isTransient(error)) {
        this.#totals.retries++;
        const rest = isLockTimeout(error) ? await this.#holdLocked(pieces, retried) : undefined;
        if (rest) {
          pieces = rest;
          continue;
        }
        retried = true;
        this.#failsForNow(error, attempt);
        await backoff(attempt++, this.#stop.signal);
      } else if (!isMissingTable(error)) {
        pieces = [...this.#apart(piece, error), ...others];
      } else if (++remakes > MAX_REMAKES || !(await this.#remake())) {
        this.#refuse(piece, error);
        pieces = others;
      }
    }
    for (const piece of pieces) rejectAll(piece, closed());
  }

  /** @returns undefined when it has landed. */
  async #try(piece: readonly QueuedWrite[], retried: boolean): Promise<{ error: unknown } | undefined> {
    const begun = performance.now();
    let outcome: WriteOutcome;
    try {
      outcome = await this.#parts.write(batchOf(piece.map(({ write }) => write)), retried);
    } catch (error) {
      return { error };
    }
    this.#landed(rowsOf(piece), performance.now() - begun);
    for (const queued of piece) queued.resolve(resultOf(queued.write, outcome));
    this.#tellGranted(outcome);
    return undefined;
  }

  /** What whoever hears it does is no reason to write the batch again. */
  #tellGranted({ slots }: WriteOutcome): void {
    if (!slots || slots.grants.length === 0) return;
    try {
      this.#parts.onGranted?.(slots.grants);
    } catch (error) {
      this.#parts.logger.warn(`A slot was granted, and who waited could not be told: ${errorText(error)}`);
    }
  }

  /** One of them is refused for good: the pieces in which they are tried again. */
  #apart(piece: readonly QueuedWrite[], error: unknown): (readonly QueuedWrite[])[] {
    const [first] = piece;
    if (piece.length > 1) {
      const middle = piece.length >> 1;
      return [piece.slice(0, middle), piece.slice(middle)];
    }
    if (first?.write.kind === 'lines' && first.rows > 1) return halvesOf(first, first.write).map((half) => [half]);
    if (!first?.write.poorer) {
      this.#refuse(piece, error);
      return [];
    }
    this.#parts.logger.warn(
      `The database refused the ${first.write.kind} of activity ${first.write.id}, so less of it is stored: ${errorText(error)}`,
    );
    first.write = first.write.poorer();
    return [piece];
  }

  #refuse(batch: readonly QueuedWrite[], error: unknown): void {
    this.#totals.refused += rowsOf(batch);
    rejectAll(batch, refused(error));
  }

  /**
   * Puts aside what is for rows that somebody has locked, of all pieces: so it keeps its order, with what waits behind it.
   * @returns the rest; undefined when nothing is locked by now.
   */
  async #holdLocked(
    pieces: readonly (readonly QueuedWrite[])[],
    retried: boolean,
  ): Promise<(readonly QueuedWrite[])[] | undefined> {
    const locked = await this.#lockedAmong(pieces[0]!.map(({ write }) => write));
    if (!locked || locked.size === 0) return undefined;
    const all = pieces.flat();
    if (retried) for (const queued of all) queued.retried = true;
    const rest = new Set(this.#queue.hold(locked, all));
    if (!this.#isWatchingHeld) void this.#watchHeld();
    return pieces.map((piece) => piece.filter((queued) => rest.has(queued))).filter((piece) => piece.length > 0);
  }

  /** Looks again and again whether the rows are free, for as long as something is held back for them. */
  async #watchHeld(): Promise<void> {
    this.#isWatchingHeld = true;
    for (let ids = this.#queue.heldIds; ids.length > 0 && !this.#stop.signal.aborted; ids = this.#queue.heldIds) {
      await backoff(HELD_ATTEMPT, this.#stop.signal);
      const locked = await this.#lockedAmong(this.#queue.heldWrites);
      if (!locked || this.#stop.signal.aborted) continue;
      this.#queue.release(ids.filter((id) => !locked.has(id)));
      if (!this.#isRunning && !this.#queue.isEmpty) void this.#run();
    }
    this.#isWatchingHeld = false;
  }

  /** Activities whose row, or whose limit, somebody has locked; undefined when the database cannot say. */
  async #lockedAmong(writes: readonly Write[]): Promise<ReadonlySet<string> | undefined> {
    const limits = new Map<string, string>();
    for (const write of writes) if ('slot' in write && write.slot) limits.set(write.id, write.slot.hash);
    try {
      const locked = await this.#parts.lockedAmong(
        [...new Set(writes.map(({ id }) => id))],
        [...new Set(limits.values())],
      );
      const behind = [...limits].filter(([, hash]) => locked.has(hash)).map(([id]) => id);
      return behind.length === 0 ? locked : new Set([...locked, ...behind]);
    } catch {
      return undefined;
    }
  }

  get #isFull(): boolean {
    const { size, characters } = this.#queue;
    return size + rowsOf(this.#landing) >= this.#parts.maxWaitingWrites || characters >= MAX_WAITING_CHARACTERS;
  }

  #leaveOut(): ActivityStoreError {
    this.#totals.droppedStarts++;
    if (this.#leftOut++ === 0) {
      this.#parts.logger.warn(
        `${this.#queue.size} writes wait for the database: activities that start from now on are not recorded, until ` +
          'there is room. What has been recorded as started keeps its record (option `maxWaitingWrites`).',
      );
    }
    return new ActivityStoreError('Too much waits to be written: see the option `maxWaitingWrites`.');
  }

  #tellLeftOut(): void {
    this.#parts.logger.warn(`Activities are recorded again; ${this.#leftOut} that began meanwhile are not.`);
    this.#leftOut = 0;
  }

  get #awaySince(): Date | null {
    const since = this.#failingSince ?? this.#landingSince;
    if (since === undefined) return null;
    return this.#failingSince !== undefined || Date.now() - since > LONG_FLUSH_MS ? new Date(since) : null;
  }

  async #remake(): Promise<boolean> {
    try {
      return await this.#parts.remakeTables();
    } catch (remakeError) {
      this.#parts.logger.warn(`The activity tables could not be made again: ${errorText(remakeError)}`);
      return false;
    }
  }

  #failsForNow(error: unknown, attempt: number): void {
    this.#failingSince ??= Date.now();
    if (this.#isAway || attempt < ATTEMPTS_BEFORE_WARNING) return;
    this.#isAway = true;
    this.#parts.logger.warn(`Activities cannot be written for now, and are kept until they can: ${errorText(error)}`);
  }

  #landed(writes: number, tookMs: number): void {
    this.#failingSince = undefined;
    this.#totals.batches++;
    this.#totals.writes += writes;
    this.#batchSizes.add(writes);
    this.#flushTimes.add(tookMs);
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#isCatchingUp = true;
    this.#parts.logger.warn('Activities are written again.');
  }
}

function resultOf(write: Write, outcome: WriteOutcome): WriteResult {
  switch (write.kind) {
    case 'grant':
      return outcome.grants.get(write.id);
    case 'putBack':
      return outcome.putBacks.get(write.id);
    case 'settle':
      return outcome.settlements.get(write.id);
    case 'insert':
    case 'enter':
      return outcome.slots?.standings.get(write.id);
    default:
      return undefined;
  }
}

/** Two writes of half its lines each; when both have gone their ways, so has it. One that is refused refuses it. */
function halvesOf(whole: QueuedWrite, write: LinesWrite): QueuedWrite[] {
  const middle = whole.rows >> 1;
  const { lines } = write.lines;
  const halves = [lines.slice(0, middle), lines.slice(middle)].map((half) =>
    queue({ ...write, lines: { ...write.lines, lines: half } }),
  );
  void Promise.allSettled(halves.map(({ promise }) => promise)).then((ends) => {
    const failed = ends.find((end) => end.status === 'rejected');
    return failed ? whole.reject(failed.reason) : whole.resolve(undefined);
  });
  return halves;
}

function rowsOf(batch: readonly QueuedWrite[]): number {
  let rows = 0;
  for (const queued of batch) rows += queued.rows;
  return rows;
}

function rejectAll(batch: readonly QueuedWrite[], error: ActivityStoreError): void {
  for (const queued of batch) queued.reject(error);
}

function refused(cause: unknown): ActivityStoreError {
  const wayOut = isMissingTable(cause)
    ? " Run the migrations (see ormconfig.ts: `npm run migration:run`), or set `migrations: 'run'`."
    : '';
  return new ActivityStoreError(`The database refused a write of the activity tracker: ${errorText(cause)}.${wayOut}`, {
    cause,
  });
}

function closed(): ActivityStoreError {
  return new ActivityStoreError('The activity store is closed: nothing more is written.');
}
