import { finished, type Readable } from 'node:stream';
import { cancellationOf } from '../model/cancellation.js';
import type { Completion } from '../model/outcome.js';
import { withinActivity } from './ambient-activity.js';
import type { CallAnswer } from './call-answer.js';
import { whenAborted } from './linked-signal.js';
import { finishUnread, readerLeft, watchReader } from './result-reader.js';
import type { RunningActivity } from './running-activity.js';

/** The Node stream that a result is or, as Nest's `StreamableFile`, holds. */
export function streamOf(value: unknown): Readable | undefined {
  if (isReadable(value)) return value;
  const file = value as { getStream?: () => unknown; getHeaders?: unknown } | null | undefined;
  if (typeof file?.getStream !== 'function' || typeof file.getHeaders !== 'function') return undefined;
  const stream = file.getStream();
  return isReadable(stream) ? stream : undefined;
}

/**
 * Ends the activity with the stream, which it listens to without reading: at its end, its error, or when its reader has
 * left it. Aborting the activity destroys the stream. What makes its chunks runs within the activity.
 */
export function followStream(activity: RunningActivity, stream: Readable, answer: CallAnswer | undefined): void {
  let over = false;
  let closed = false;
  const leaveActivity = readWithin(activity, stream);
  const end = (finish: () => void): void => {
    if (over) return;
    over = true;
    stopListening();
    stopWatching();
    leaveActivity();
    finish();
  };
  const settle = (completion: Completion): void => end(() => void activity.finish(completion));
  const settleAborted = (): void => settle({ ok: false, error: activity.signal.reason as unknown });
  const stopWatching = watchReader(activity, answer, (how) => {
    const isRead = wasRead(stream) || closed;
    if (how === 'late' && isRead) return;
    // An answer may be whole without the rest of the stream, as the one to a HEAD request is.
    end(() => (isRead ? void activity.finish({ ok: true, value: undefined }) : finishUnread(activity)));
    if (how === 'sent') stream.destroy();
  });
  const stopListening = whenAborted(activity.signal, () => {
    if (closed) return settleAborted();
    // A reader that has left is no error of the stream's: it is closed as readers close it.
    const left = cancellationOf(activity.signal)?.abortReason === 'client_disconnected';
    stream.destroy(left ? undefined : (activity.signal.reason as Error));
  });
  // A source that does not let itself be closed (a generator that ignores its signal) must not keep the client waiting.
  activity.whenForced.catch(() => answer?.cut());
  finished(stream, { writable: false }, (error) => {
    closed = true;
    if (!error) return settle({ ok: true, value: undefined });
    if (activity.signal.aborted) return settleAborted();
    if (stream.errored && codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') return settle({ ok: false, error });
    // Its reader has closed it. Over HTTP the end of the answer tells whether the client has left.
    if (answer) return;
    readerLeft(activity);
  });
}

/** Lets what makes the chunks (an async generator, often) find the activity. @returns puts things back. */
function readWithin(activity: RunningActivity, stream: Readable): () => void {
  const own = Object.getOwnPropertyDescriptors(stream) as Partial<Record<string, PropertyDescriptor>>;
  for (const name of ['_read', '_destroy'] as const) {
    const original = stream[name] as (this: Readable, ...args: unknown[]) => void;
    if (typeof original !== 'function') continue;
    const within = function (this: Readable, ...args: unknown[]): void {
      withinActivity(activity, () => original.apply(this, args));
    };
    Object.defineProperty(stream, name, { value: within, configurable: true, writable: true });
  }
  return () => {
    for (const name of ['_read', '_destroy'] as const) {
      if (own[name]) Object.defineProperty(stream, name, own[name]);
      else Reflect.deleteProperty(stream, name);
    }
  };
}

function wasRead(stream: Readable): boolean {
  return stream.readableDidRead || stream.readableFlowing !== null || stream.listenerCount('readable') > 0;
}

function isReadable(value: unknown): value is Readable {
  const stream = value as Partial<Readable> | null | undefined;
  return (
    typeof stream === 'object' &&
    typeof stream?.pipe === 'function' &&
    typeof stream.on === 'function' &&
    typeof stream.destroy === 'function' &&
    // A response is a stream too, and has `pipe`, but is not read from.
    'readableFlowing' in stream
  );
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
