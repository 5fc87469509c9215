import { ActivityCancelledError } from '../model/cancellation.js';
import { withinActivity } from './ambient-activity.js';
import { finishLate } from './finish-late.js';
import type { RunningActivity } from './running-activity.js';

/** A generator that has begun, and the activity that it runs in. */
export interface TrackedGenerator<T> {
  activity: RunningActivity;
  source: AsyncGenerator<T>;
}

/** Starts the activity, then the generator. `onCreated` hears of the activity before it may have to wait for a slot. */
export type BeginGenerator<T> = (onCreated: (activity: RunningActivity) => void) => Promise<TrackedGenerator<T>>;

/**
 * The same values; the activity begins with the first `next` and ends with the generator. Every step of the generator
 * runs within the activity. Written by hand, not as a generator: the `return` of one waits behind a pending `next`, so a
 * reader that leaves during a long wait would never be heard.
 */
export class FollowedGenerator<T> implements AsyncGenerator<T> {
  #begun: Promise<TrackedGenerator<T>> | undefined;
  #created: RunningActivity | undefined;
  #over = false;

  constructor(private readonly begin: BeginGenerator<T>) {}

  next(...args: [] | [unknown]): Promise<IteratorResult<T>> {
    return this.#step((source) => source.next(...args));
  }

  throw(error: unknown): Promise<IteratorResult<T>> {
    return this.#step((source) => source.throw(error));
  }

  async return(value: unknown): Promise<IteratorResult<T>> {
    if (this.#begun && !this.#over) {
      this.#over = true;
      if (this.#created) leave(this.#created);
      await this.#begun.then((begun) => this.#close(begun, value)).catch(() => undefined);
    }
    this.#over = true;
    return { done: true, value };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return(undefined);
  }

  async #step(take: (source: AsyncGenerator<T>) => Promise<IteratorResult<T>>): Promise<IteratorResult<T>> {
    if (this.#over) return { done: true, value: undefined };
    const { activity, source } = await this.#start();
    const taken = withinActivity(activity, () => take(source));
    try {
      const result = await Promise.race([taken, activity.whenForced]);
      if (result.done && !this.#over) {
        this.#over = true;
        await activity.finish({ ok: true, value: result.value });
      }
      return result;
    } catch (error) {
      this.#over = true;
      if (activity.forced) finishLate(activity, taken);
      else await activity.finish({ ok: false, error });
      throw error;
    }
  }

  async #start(): Promise<TrackedGenerator<T>> {
    this.#begun ??= this.begin((activity) => (this.#created = activity));
    try {
      return await this.#begun;
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  async #close({ activity, source }: TrackedGenerator<T>, value: unknown): Promise<void> {
    leave(activity);
    const closed = withinActivity(activity, () => source.return(value)).catch(() => undefined);
    await Promise.race([closed, activity.whenForced]).catch(() => undefined);
    if (activity.forced) finishLate(activity, closed);
    else await activity.finish({ ok: false, error: activity.signal.reason });
  }
}

function leave(activity: RunningActivity): void {
  activity.abort(new ActivityCancelledError('client_disconnected', activity.id));
}
