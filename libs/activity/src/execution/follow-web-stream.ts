import { ReadableStream, type ReadableStreamDefaultReader, type UnderlyingSource } from 'node:stream/web';
import type { Completion } from '../model/outcome.js';
import { withinActivity } from './ambient-activity.js';
import type { CallAnswer } from './call-answer.js';
import { whenAborted } from './linked-signal.js';
import { finishUnread, readerLeft, watchReader } from './result-reader.js';
import type { RunningActivity } from './running-activity.js';

/** By what it does: a stream of another realm, or of a polyfill, is one too. */
export function isWebStream(value: unknown): value is ReadableStream {
  const stream = value as Partial<ReadableStream> | null | undefined;
  return (
    typeof stream === 'object' &&
    typeof stream?.getReader === 'function' &&
    typeof stream.tee === 'function' &&
    typeof stream.locked === 'boolean'
  );
}

/**
 * A web stream of the same kind (one of bytes stays one) and the same chunks, read from the source as it is read itself:
 * a web stream cannot be listened to without taking it. The activity ends with it; a reader that cancels it aborts the
 * activity, and an abort of the activity is its error.
 */
export function followWebStream(
  activity: RunningActivity,
  source: ReadableStream,
  answer: CallAnswer | undefined,
): ReadableStream {
  const isBytes = givesBytes(source);
  const reader = source.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let over = false;
  let isRead = false;
  let fail: (error: unknown) => void = () => undefined;
  const end = (finish: () => void): void => {
    if (over) return;
    over = true;
    stopListening();
    stopWatching();
    finish();
  };
  const settle = (completion: Completion): void => end(() => void activity.finish(completion));
  const stopWatching = watchReader(activity, answer, (how) => {
    if (how === 'late' && isRead) return;
    end(() => (isRead ? void activity.finish({ ok: true, value: undefined }) : finishUnread(activity)));
    if (how === 'sent') void reader.cancel().catch(() => undefined);
  });
  const stopListening = whenAborted(activity.signal, () => {
    const error: unknown = activity.signal.reason;
    fail(error);
    const closed = withinActivity(activity, () => reader.cancel(error)).catch(() => undefined);
    // The row is final when the source has let go, or, at the latest, when the grace is over.
    void closed.then(() => settle({ ok: false, error }));
  });
  const underlying: UnderlyingSource<Uint8Array> = {
    start: (controller) => {
      fail = (error) => controller.error(error);
    },
    pull: async (controller) => {
      isRead = true;
      try {
        const { done, value } = await withinActivity(activity, () => reader.read());
        if (activity.signal.aborted) return;
        if (!done) return controller.enqueue(value);
        controller.close();
        // A reader that waits with a buffer of its own is told the end by an answer without bytes.
        (controller as { byobRequest?: { respond(n: number): void } | null }).byobRequest?.respond(0);
        settle({ ok: true, value: undefined });
      } catch (error) {
        settle({ ok: false, error });
        throw error;
      }
    },
    cancel: async (reason) => {
      if (over) return reader.cancel(reason);
      readerLeft(activity);
    },
  };
  // Nothing is read ahead of the reader.
  return isBytes
    ? new ReadableStream({ ...underlying, type: 'bytes' } as never, { highWaterMark: 0 })
    : new ReadableStream(underlying, { highWaterMark: 0 });
}

function givesBytes(source: ReadableStream): boolean {
  try {
    source.getReader({ mode: 'byob' }).releaseLock();
    return true;
  } catch {
    return false;
  }
}
