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
  activity.onForced(() => answer?.cut());
  finished(stream, { writable: false }, (error) => {
    closed = true;
    if (!error) return settle({ ok: true, value: undefined });
    if (activity.signal.aborted) return settleAborted();
    if (stream.errored && !isLeaving(error)) return settle({ ok: false, error });
    // Its reader has closed it. Over HTTP the end of the answer tells whether the client has left.
    if (answer) return;
    readerLeft(activity);
  });
}

/** Lets what makes the chunks (an async generator, often) find the activity. @returns puts things back. */
function readWithin(activity: RunningActivity, stream: Readable): () => void {
  const restore = (['_read', '_destroy'] as const).map((name) => {
    const own = Object.getOwnPropertyDescriptor(stream, name);
    const original = stream[name] as (this: Readable, ...args: unknown[]) => void;
    const within = function (this: Readable, ...args: unknown[]): void {
      withinActivity(activity, () => original.apply(this, args));
    };
    Object.defineProperty(stream, name, { value: within, configurable: true, writable: true });
    return () => (own ? Object.defineProperty(stream, name, own) : Reflect.deleteProperty(stream, name));
  });
  return () => restore.forEach((putBack) => putBack());
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
    '_read' in stream &&
    // A response is a stream too, and has `pipe`, but is not read from.
    'readableFlowing' in stream
  );
}

/** With what Node itself closes a stream that is read no further: `for await` that breaks, a pipeline whose target closes. */
function isLeaving(error: NodeJS.ErrnoException): boolean {
  return (
    error.code === 'ERR_STREAM_PREMATURE_CLOSE' ||
    // Of a signal that has aborted it would have a cause.
    (error.code === 'ABORT_ERR' && error.cause === undefined)
  );
}
