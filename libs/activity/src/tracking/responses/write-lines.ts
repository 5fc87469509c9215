import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { currentActivity } from '../../execution/ambient-activity.js';
import type { ActivityFrame, StartedFrame } from '../../model/frames.js';
import { outcomeOf } from '../../model/outcome.js';
import { doneFrame, errorFrame } from './final-frames.js';
import { STREAM_HEADERS } from './stream-headers.js';

/** Express's response, Fastify's reply, or any `Writable`. */
export type LineTarget = Writable | FastifyReplyLike;

interface FastifyReplyLike {
  raw: ServerResponse;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  hijack(): unknown;
}

/** How a response that somebody writes himself ends. */
export interface DoneLine {
  /** Default: the activity around the call. */
  id?: string;
  result?: unknown;
  /** With it the line is an `error` line; its text is what a caller may read. */
  error?: unknown;
}

/** What has had its last line: a second one would contradict it. */
const done = new WeakSet<Writable>();

/**
 * The first line of an NDJSON response that a handler with `@Res()` writes itself; on a response whose headers are not out
 * yet it also sets those of a stream. A Fastify reply keeps the headers that hooks have set, and is hijacked.
 */
export function writeStartedLine(
  target: LineTarget,
  activityId: string,
  { status = 'running' }: Partial<Pick<StartedFrame, 'status'>> = {},
): void {
  const response = openedResponse(target);
  if ('setHeader' in response && !(response as ServerResponse).headersSent) {
    for (const [name, value] of Object.entries(STREAM_HEADERS)) (response as ServerResponse).setHeader(name, value);
  }
  write(response, { type: 'started', id: activityId, status });
}

/**
 * The last line: `done`, or with `error` an `error` line, whose status follows from the activity's signal (cancelled,
 * interrupted, failed). Ends nothing: call `end()` after it. Only the first one counts; a stream without one was cut.
 */
export function writeDoneLine(target: LineTarget, { id, result, error }: DoneLine = {}): void {
  const response = 'raw' in target ? target.raw : target;
  if (done.has(response)) return;
  done.add(response);
  const activity = currentActivity();
  const activityId = id ?? (activity.tracked ? activity.id : undefined);
  write(
    response,
    error === undefined
      ? doneFrame(activityId, result)
      : errorFrame(error, { id: activityId, ...outcomeOf({ ok: false, error }, activity) }),
  );
}

function openedResponse(target: LineTarget): Writable {
  if (!('raw' in target)) return target;
  if (!target.raw.headersSent) {
    for (const [name, value] of Object.entries(target.getHeaders())) {
      if (value !== undefined) target.raw.setHeader(name, value);
    }
    target.hijack();
  }
  return target.raw;
}

/** A client that has left is no error of the work's. */
function write(response: Writable, frame: ActivityFrame): void {
  if (response.destroyed || response.writableEnded) return;
  response.write(`${JSON.stringify(frame)}\n`);
  // `compression()` gives responses a `flush`.
  (response as { flush?(): void }).flush?.();
}
