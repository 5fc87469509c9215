// Not the global: an app's test that fakes timers must not stop its tracker from writing.
import { setImmediate } from 'node:timers';
import { ActivityStoreError } from '../model/errors.js';
import { errorText } from '../model/stored-error.js';
import type { CasResult } from './activity-store.js';
import type { Database } from './database.js';
import { isMissingTable, isTransient } from './database-errors.js';
import { backoff, endsWithin } from './retry.js';
import { batchOf } from './write-batch.js';
import type { UpdateWrite, Write } from './write.js';
import { WriteQueue, type QueuedWrite } from './write-queue.js';
import type { WriteOutcome } from './write-plan.js';

/** Attempts before an outage is told: about a second. What is shorter is a lock of somebody. */
const ATTEMPTS_BEFORE_WARNING = 6;
/** A suite of tests may drop the tables again and again; tables that stay away are no accident. */
const MAX_REMAKES = 3;

export interface PipelineParts {
  write: Database['write'];
  /** Makes dropped tables again. False: it may not. */
  remakeTables: () => Promise<boolean>;
  logger: { warn(text: string): void };
}

/**
 * Group commit: all writes of this process go through one queue, and each flush takes what waits and writes it in one
 * transaction, while the next ones gather. Each promise resolves when its row is durable.
 * What fails for the moment is tried again, for as long as it takes; what the database refuses is found by halving the
 * batch, tried in a poorer form and, if there is none, rejected alone.
 * @see Design §5.8; DeWitt et al., "Implementation techniques for main memory database systems" (1984), group commit
 */
export class WritePipeline {
  readonly #parts: PipelineParts;
  readonly #queue = new WriteQueue();
  readonly #stop = new AbortController();
  #isRunning = false;
  #landing: readonly QueuedWrite[] = [];
  #isAway = false;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** @throws {ActivityStoreError} when the database refuses it, or the store is closed. */
  add(write: Write): Promise<CasResult | undefined> {
    if (this.#stop.signal.aborted) return Promise.reject(closed());
    const promise = this.#queue.add(write);
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  /** Several updates of one activity that wait become one, with the newest values. */
  update(write: UpdateWrite): Promise<CasResult | undefined> {
    return this.#queue.mergeUpdate(write) ?? this.add(write);
  }

  /** Resolves when everything added before has been written or given up. */
  flush(): Promise<void> {
    return this.#queue.whenDone();
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
      await this.#land(this.#landing, false);
      this.#queue.done(this.#landing);
      this.#landing = [];
    } while (this.#queue.size > 0);
    this.#isRunning = false;
  }

  async #land(batch: readonly QueuedWrite[], retried: boolean): Promise<void> {
    let remakes = 0;
    for (let attempt = 0; batch.length > 0 && !this.#stop.signal.aborted; attempt++) {
      try {
        const outcome = await this.#parts.write(batchOf(batch.map(({ write }) => write)), retried);
        this.#isBack();
        for (const queued of batch) queued.resolve(resultOf(queued.write, outcome));
        return;
      } catch (error) {
        if (isTransient(error)) {
          retried = true;
          this.#failsForNow(error, attempt);
          await backoff(attempt, this.#stop.signal);
        } else if (isMissingTable(error)) {
          if (++remakes > MAX_REMAKES || !(await this.#remake())) return rejectAll(batch, refused(error));
        } else {
          return this.#landApart(batch, retried, error);
        }
      }
    }
    rejectAll(batch, closed());
  }

  /** One of them is refused for good: the halves go apart, in their order, until it stands alone. */
  async #landApart(batch: readonly QueuedWrite[], retried: boolean, error: unknown): Promise<void> {
    const [first] = batch;
    if (batch.length > 1) {
      const middle = batch.length >> 1;
      await this.#land(batch.slice(0, middle), retried);
      await this.#land(batch.slice(middle), retried);
    } else if (first?.write.poorer) {
      this.#parts.logger.warn(
        `The database refused the ${first.write.kind} of activity ${first.write.id}, so less of it is stored: ${errorText(error)}`,
      );
      first.write = first.write.poorer();
      await this.#land([first], retried);
    } else {
      rejectAll(batch, refused(error));
    }
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
    if (this.#isAway || attempt < ATTEMPTS_BEFORE_WARNING) return;
    this.#isAway = true;
    this.#parts.logger.warn(`Activities cannot be written for now, and are kept until they can: ${errorText(error)}`);
  }

  #isBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#parts.logger.warn('Activities are written again.');
  }
}

function resultOf(write: Write, outcome: WriteOutcome): CasResult | undefined {
  if (write.kind === 'grant') return outcome.grants.get(write.id);
  return write.kind === 'settle' ? outcome.settlements.get(write.id) : undefined;
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
