import type { Completion } from '../model/outcome.js';
import { withinActivity } from './ambient-activity.js';
import { finishLate } from './finish-late.js';
import { whenAborted } from './linked-signal.js';
import { readerLeft } from './result-reader.js';
import type { RunningActivity } from './running-activity.js';

/** An iterator that has begun (`return` and `throw` may be missing), and the activity that it runs in. */
export interface TrackedIterator<T> {
  activity: RunningActivity;
  source: AsyncIterator<T>;
}

/** Starts the activity, then the iterator. `onCreated` hears of the activity before it may have to wait for a slot. */
export type BeginIterator<T> = (onCreated: (activity: RunningActivity) => void) => Promise<TrackedIterator<T>>;

/**
 * The same values; the activity begins with the first `next` and ends with the iterator. Every step of it runs within the
 * activity. An abort of the activity closes the iterator, and its reader gets the reason. Written by hand, not as a
 * generator: the `return` of one waits behind a pending `next`, so a reader that leaves during a long wait would never be
 * heard.
 */
export class FollowedIterator<T> implements AsyncGenerator<T> {
  #begun: Promise<TrackedIterator<T>> | undefined;
  #created: RunningActivity | undefined;
  #taken: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #stopListening = (): void => undefined;
  #over = false;
  /** What the reader has yet to be told: the reason of an abort between two steps. */
  #untold: { error: unknown } | undefined;

  constructor(private readonly begin: BeginIterator<T>) {}

  /** Begins before the first step: for an iterator whose activity runs already. */
  start(): void {
    void this.#begin();
  }

  next(...args: [] | [unknown]): Promise<IteratorResult<T>> {
    return this.#step((source) => source.next(...(args as [])));
  }

  throw(error: unknown): Promise<IteratorResult<T>> {
    return this.#step((source) => {
      if (source.throw) return source.throw(error);
      void source.return?.();
      throw error;
    });
  }

  /** The reader leaves. */
  async return(value: unknown): Promise<IteratorResult<T>> {
    if (this.#begun && !this.#over) {
      if (this.#created) readerLeft(this.#created);
      await this.#begun
        .then(({ activity }) => {
          readerLeft(activity);
          return this.#closing;
        })
        .catch(() => undefined);
    }
    this.#over = true;
    this.#untold = undefined;
    return { done: true, value };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return(undefined);
  }

  async #step(take: (source: AsyncIterator<T>) => Promise<IteratorResult<T>>): Promise<IteratorResult<T>> {
    if (this.#over) return this.#afterEnd();
    const begun = await this.#begin();
    const { activity, source } = begun;
    await this.#closing;
    if (this.#over) return this.#afterEnd();
    const taken = withinActivity(activity, async () => take(source));
    this.#taken = taken;
    try {
      const result = await activity.untilForced(taken);
      // The end of a generator is its own. Another iterator, a subscription of a bus say, has ended since it was closed.
      const isClosed = this.#closing !== undefined && !isGenerator(source);
      if (result.done && !isClosed) await this.#end(begun, { ok: true, value: result.value });
      else if (activity.signal.aborted) {
        await this.#closing;
        throw activity.signal.reason;
      }
      return result;
    } catch (error) {
      this.#untold = undefined;
      await this.#end(begun, { ok: false, error });
      throw error;
    }
  }

  #begin(): Promise<TrackedIterator<T>> {
    this.#begun ??= this.begin((activity) => (this.#created = activity)).then(
      (begun) => {
        this.#created = begun.activity;
        this.#stopListening = whenAborted(begun.activity.signal, () => {
          this.#closing ??= this.#close(begun);
        });
        return begun;
      },
      (error: unknown) => {
        this.#over = true;
        throw error;
      },
    );
    return this.#begun;
  }

  async #close(begun: TrackedIterator<T>): Promise<void> {
    const { activity, source } = begun;
    const error: unknown = activity.signal.reason;
    // At once, also while a step is pending: an iterator that waits for events may be woken by it.
    const closed = withinActivity(activity, async () => source.return?.());
    const ended = Promise.allSettled([this.#taken, closed]);
    await activity.untilForced(ended).catch(() => undefined);
    if (this.#over) return;
    this.#untold = { error };
    await this.#end(begun, { ok: false, error }, ended);
  }

  async #end({ activity }: TrackedIterator<T>, completion: Completion, body = this.#taken): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#stopListening();
    if (activity.forced) finishLate(activity, body);
    else await activity.finish(completion);
  }

  #afterEnd(): IteratorResult<T> {
    const untold = this.#untold;
    this.#untold = undefined;
    if (untold) throw untold.error;
    return { done: true, value: undefined };
  }
}

/** By its tag, which copies of its methods keep. */
function isGenerator(iterator: AsyncIterator<unknown> & { [Symbol.toStringTag]?: string }): boolean {
  return iterator[Symbol.toStringTag] === 'AsyncGenerator';
}
