import { finished } from 'node:stream/promises';
import { isObservable, lastValueFrom, tap, type Observable } from 'rxjs';
import { isAsyncIterable } from '../../execution/follow-iterable.js';
import { streamOf } from '../../execution/follow-stream.js';

/**
 * Follows what a handler gave to its end, since in these modes nobody else does: an Observable and an async generator
 * until they complete, a stream of bytes until it has been read.
 * @param onItem  gets each value of an Observable or a generator; a generator waits for what it returns.
 * @returns the value; of an Observable the last one, as Nest answers it, unless `onItem` has had them; of a generator and a
 *   stream nothing.
 * @throws what it ends with.
 */
export async function readToEnd(value: unknown, onItem?: (item: unknown) => Promise<void>): Promise<unknown> {
  if (isObservable(value)) return ofObservable(value, onItem);
  const stream = streamOf(value);
  if (stream) {
    stream.resume();
    await finished(stream, { writable: false });
    return undefined;
  }
  if (!isAsyncIterable(value)) return value;
  // Bytes of a web stream are no values either.
  const tell = 'getReader' in value ? undefined : onItem;
  for await (const item of value) await tell?.(item);
  return undefined;
}

async function ofObservable(source: Observable<unknown>, onItem?: (item: unknown) => Promise<void>): Promise<unknown> {
  const last = await lastValueFrom(source.pipe(tap((item) => void onItem?.(item))), { defaultValue: undefined });
  return onItem ? undefined : last;
}
