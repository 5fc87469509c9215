import type { ActivityFrame } from '../model/frames.js';
import { ActivityStreamCutError } from './stream-cut-error.js';

/** A response of `fetch`, or the bytes or text of one. */
export type ActivityStreamSource =
  { readonly body: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array> | null } | AsyncIterable<Uint8Array | string>;

/**
 * Reads a streamed answer (`application/x-ndjson`) frame by frame. The last one is `done` or `error`; that the work failed
 * is said by the frame, not thrown. Leaving the loop early closes the connection, where the source can be closed.
 * Look at the status of the response before: an error before the start is an ordinary one, without a stream.
 * Depends on nothing but what browsers and Node have.
 * @throws {ActivityStreamCutError} when it ends or breaks without its last frame, also in the middle of a line.
 */
export async function* readActivityStream(
  source: ActivityStreamSource,
): AsyncGenerator<ActivityFrame, void, undefined> {
  let activityId: string | undefined;
  let lastSeq = 0;
  try {
    for await (const line of linesOf(bytesOf(source))) {
      const frame = JSON.parse(line) as ActivityFrame;
      if (frame.type === 'started') activityId = frame.id;
      if (frame.type === 'log') lastSeq = frame.seq;
      yield frame;
      if (frame.type === 'done' || frame.type === 'error') return;
    }
  } catch (cause) {
    throw new ActivityStreamCutError(activityId, lastSeq, { cause });
  }
  throw new ActivityStreamCutError(activityId, lastSeq);
}

function bytesOf(source: ActivityStreamSource): AsyncIterable<Uint8Array | string> {
  if (!('body' in source)) return source;
  const { body } = source;
  if (body === null) return none();
  return Symbol.asyncIterator in body ? body : chunksOf(body);
}

async function* none(): AsyncGenerator<never> {}

/** Some browsers cannot iterate over a stream. */
async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Only lines that are whole: what stands behind the last line break was cut. Empty ones keep a connection alive. */
async function* linesOf(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') yield line;
  }
}
