import { ActivityCancelledError } from '../model/cancellation.js';
import { withinActivity } from './ambient-activity.js';
import type { RunningActivity } from './running-activity.js';

/** Follows a generator that the body has made. */
export function followIterator<T>(activity: RunningActivity, source: AsyncGenerator<T>): AsyncGenerator<T> {
  return followLazily(() => Promise.resolve({ activity, source }));
}

/**
 * The same values; the activity begins with the first `next` and ends with the generator. Every step of the generator
 * runs within the activity. Written by hand, not as a generator: the `return` of one waits behind a pending `next`, so a
 * reader that leaves during a long wait would never be heard.
 */
export function followLazily<T>(
  begin: () => Promise<{ activity: RunningActivity; source: AsyncGenerator<T> }>,
): AsyncGenerator<T> {
  let begun: ReturnType<typeof begin> | undefined;
  let over = false;
  const step = async (take: (source: AsyncGenerator<T>) => Promise<IteratorResult<T>>): Promise<IteratorResult<T>> => {
    if (over) return { done: true, value: undefined };
    const { activity, source } = await (begun ??= begin());
    try {
      const result = await Promise.race([withinActivity(activity, () => take(source)), activity.whenForced]);
      if (result.done && !over) {
        over = true;
        await activity.finish({ ok: true, value: result.value });
      }
      return result;
    } catch (error) {
      over = true;
      await activity.finish({ ok: false, error });
      throw error;
    }
  };
  const leave = async (value: unknown): Promise<IteratorResult<T>> => {
    if (begun && !over) {
      over = true;
      const { activity, source } = await begun;
      activity.abort(new ActivityCancelledError('client_disconnected', activity.id));
      const closed = withinActivity(activity, () => source.return(value)).catch(() => undefined);
      await Promise.race([closed, activity.whenForced]).catch(() => undefined);
      await activity.finish({ ok: false, error: activity.signal.reason });
    }
    over = true;
    return { done: true, value };
  };
  return {
    next: (...args: [] | [unknown]) => step((source) => source.next(...args)),
    return: (value: unknown) => leave(value),
    throw: (error: unknown) => step((source) => source.throw(error)),
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await leave(undefined);
    },
  } as AsyncGenerator<T>;
}
