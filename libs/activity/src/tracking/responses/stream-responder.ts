import { Logger, StreamableFile } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { ActivityContext } from '../../execution/activity-context.js';
import type { ActivityRunner } from '../../execution/activity-runner.js';
import type { RunRequest } from '../../execution/run-request.js';
import type { RunningActivity } from '../../execution/running-activity.js';
import type { Activity } from '../../model/activity.js';
import { ActivityError } from '../../model/activity-error.js';
import type { ActivityCancelledError } from '../../model/cancellation.js';
import { outcomeAfter } from '../../model/outcome.js';
import type { ActiveStatus } from '../../model/statuses.js';
import type { ActivityAddresses } from '../activity-addresses.js';
import type { HttpExchange } from '../http-exchange.js';
import { NDJSON } from './accept-header.js';
import { doneFrame, errorFrame } from './final-frames.js';
import { FrameStream } from './frame-stream.js';
import { readToEnd } from './read-to-end.js';
import type { Responder } from './responder.js';
import { STREAM_HEADERS } from './stream-headers.js';
import { takeResponse, type FrameworkResponse } from './taken-response.js';

export interface StreamResponderParts {
  exchange: HttpExchange;
  addresses: ActivityAddresses;
  adapter: Pick<AbstractHttpAdapter, 'reply'>;
  /** As Nest hands it to filters and interceptors. */
  response: FrameworkResponse;
}

/**
 * Answers with a stream of frames: `started` once the start is recorded and before any slot is waited for, then what the
 * work says, then `done` or `error`. The bytes go out by the framework itself (Nest's `reply` of a StreamableFile), so its
 * hooks and headers are there on Fastify too. The result still passes the interceptors, so that a serializer leaves out
 * what it leaves out of any answer, and comes back by `takeResponse`. An error reaches the filters once the response is
 * over: they may log it, and change nothing.
 */
export class StreamResponder implements Responder {
  readonly #frames = new FrameStream();
  /** The activity that the stream names: the call's own, or the one that stands for it. */
  #id: string | undefined;
  /** Its own; undefined where another one stands for the call. */
  #activity: RunningActivity | undefined;
  #result: { value: unknown } | undefined;

  constructor(private readonly parts: StreamResponderParts) {}

  async run(
    runner: ActivityRunner,
    request: RunRequest,
    body: (activity: ActivityContext) => unknown,
  ): Promise<unknown> {
    // An interceptor tries again, and the answer has been given.
    if (this.#id !== undefined) return readToEnd(await runner.run({ ...request, answer: undefined }, body));
    const frames = this.#frames;
    try {
      const given = await runner.run(
        {
          ...request,
          // Nobody reads the result but this.
          answer: undefined,
          onCreated: (created) => {
            request.onCreated?.(created);
            frames.follow(created.record);
          },
          onRecorded: (recorded) => {
            request.onRecorded?.(recorded);
            this.#activity = recorded;
            this.#open(recorded.id, recorded.record.status as ActiveStatus);
          },
          // What it comes to is streamed all the same: whoever asked for a stream cannot read anything else.
          onJoined: (joined) => {
            request.onJoined?.(joined);
            this.#open(joined.activityId, joined.status);
          },
        },
        body,
      );
      const value = await readToEnd(given, (item) => frames.item(item));
      this.#result = { value };
      return value;
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  #open(id: string, status: ActiveStatus): void {
    this.#id = id;
    const { exchange, adapter, response, addresses } = this.parts;
    // Success and failure stand in the last frame; what `@HttpCode` says is of the result.
    exchange.setStatus(200);
    for (const [name, value] of Object.entries(STREAM_HEADERS)) exchange.setHeader(name, value);
    const href = addresses.of(id);
    this.#frames.start({ type: 'started', id, status, ...(href === undefined ? {} : { href }) });
    // Of a source that is destroyed a pipe tells its target nothing: the reader would wait for ever.
    this.#frames.once('close', () => this.#frames.readableEnded || exchange.cut());
    adapter.reply(response, new StreamableFile(this.#frames, { type: NDJSON }));
    // `compression()` gives responses a `flush`. It leaves these alone, for `no-transform`; others may not.
    this.#frames.on('data', () => (exchange.response as { flush?(): void }).flush?.());
    takeResponse(response, (answer, statusCode) => this.#answer(answer, statusCode));
  }

  /** What Nest would send now, after the interceptors. Twice, where a filter answers what is over: only once heard. */
  #answer(answer: unknown, statusCode: number): void {
    if (this.#result && statusCode < 400) {
      this.#frames.end(doneFrame(this.#id, sameAs(this.#result.value, answer)));
    } else if (!this.#frames.isClosed) {
      // An interceptor has failed after the work, or has not waited for it: a stream without an end says so.
      new Logger('Activity').warn(
        `The stream of activity ${this.#id} is cut: something around its handler answered in its place (${statusCode}).`,
      );
      this.#frames.destroy();
    }
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#id === undefined) return void this.#frames.destroy();
    const { status, reason } = this.#activity?.record.snapshot() ?? outcomeOfJoined(error);
    this.#frames.end(errorFrame(error, { id: this.#id, status, reason }));
    // A filter that answers would end the response in the middle of what is still to be sent.
    await new Promise<void>((resolve) => void this.parts.exchange.whenOver(() => resolve()));
  }
}

/** How the activity that stood for the call has ended, by what it told: a cancel by its reason. */
function outcomeOfJoined(error: unknown): Pick<Activity, 'status' | 'reason'> {
  const cancellation = ActivityError.is(error) && error.code === 'ACTIVITY_CANCELLED';
  return cancellation
    ? outcomeAfter((error as ActivityCancelledError).abortReason)
    : { status: 'failed', reason: 'error' };
}

/** On Express, Nest sends numbers as text, and null as nothing; the frame keeps what it was. */
function sameAs(value: unknown, answer: unknown): unknown {
  if (answer === undefined) return value === null ? null : undefined;
  const isPlain = typeof value === 'number' || typeof value === 'boolean';
  return isPlain && answer === String(value) ? value : answer;
}
