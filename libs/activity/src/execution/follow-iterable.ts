import type { CallAnswer } from './call-answer.js';
import { FollowedIterator } from './follow-iterator.js';
import { whenAborted } from './linked-signal.js';
import { finishUnread, watchReader } from './result-reader.js';
import type { RunningActivity } from './running-activity.js';

type Iterable = AsyncIterable<unknown> & Partial<AsyncGenerator>;

export function isAsyncIterable(value: unknown): value is Iterable {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Iterable>)[Symbol.asyncIterator] === 'function'
  );
}

/**
 * Ends the activity with the first iteration of an async iterable that the body has returned. The same object, whose way
 * of being iterated is exchanged: a generator is its own iterator, others make one. One that may not be changed (frozen)
 * is given as another with the same values.
 */
export function followAsyncIterable(
  activity: RunningActivity,
  iterable: Iterable,
  answer: CallAnswer | undefined,
): Iterable {
  const own = typeof iterable.next === 'function' ? bound(iterable as AsyncIterator<unknown>) : undefined;
  const iterate = iterable[Symbol.asyncIterator].bind(iterable);
  let isRead = false;
  const stopWatching = watchReader(activity, answer, () => {
    if (isRead) return;
    stopListening();
    finishUnread(activity);
  });
  const stopListening = whenAborted(activity.signal, () => {
    if (isRead) return;
    stopWatching();
    if (own) void followed(own).return(undefined);
    else void activity.finish({ ok: false, error: activity.signal.reason as unknown });
  });
  activity.onRelease(stopWatching);

  const followed = (source: AsyncIterator<unknown>): FollowedIterator<unknown> => {
    isRead = true;
    stopListening();
    if (!answer) stopWatching();
    const iterator = new FollowedIterator(() => Promise.resolve({ activity, source }));
    iterator.start();
    return iterator;
  };
  let first: FollowedIterator<unknown> | undefined;
  if (own) {
    const lazily = (): FollowedIterator<unknown> => (first ??= followed(own));
    return exchange(iterable, {
      next: (...args: [] | [unknown]) => lazily().next(...args),
      return: (value: unknown) => lazily().return(value),
      throw: (error: unknown) => lazily().throw(error),
    });
  }
  return exchange(iterable, {
    // A second reader reads what is no longer, or not alone, the activity's.
    [Symbol.asyncIterator]: (): AsyncGenerator =>
      first || activity.settled ? (iterate() as AsyncGenerator) : (first = followed(iterate())),
  });
}

type TaggedIterator = AsyncIterator<unknown> & { [Symbol.toStringTag]?: string };

function bound(iterator: TaggedIterator): TaggedIterator {
  return {
    [Symbol.toStringTag]: iterator[Symbol.toStringTag],
    next: iterator.next.bind(iterator),
    return: iterator.return?.bind(iterator),
    throw: iterator.throw?.bind(iterator),
  };
}

function exchange(iterable: Iterable, methods: Partial<Iterable>): Iterable {
  if (!Object.isExtensible(iterable)) {
    const other: Iterable = { [Symbol.asyncIterator]: () => other as AsyncGenerator, ...methods };
    return other;
  }
  for (const key of Reflect.ownKeys(methods)) {
    Object.defineProperty(iterable, key, { value: Reflect.get(methods, key), configurable: true, writable: true });
  }
  return iterable;
}
