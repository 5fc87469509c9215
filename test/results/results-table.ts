import type { ActivityReason, FinalStatus } from 'nestjs-activity';
import type { HttpKind } from '../support/tracked-app.js';
import type { Ending } from './ending.js';

/** What the client gets; `cut` looks broken off to it, as it should. */
export interface Seen {
  status: number;
  body: RegExp;
  end: 'complete' | 'cut';
  /** For the page. */
  says: string;
}

export interface Outcome {
  status: FinalStatus;
  reason: ActivityReason | null;
  /** Null: the client has left. */
  seen: Seen | null;
}

export type Outcomes = Record<Ending, Outcome>;

export interface ResultKind {
  /** Path and type of the handler in `results.controller.ts`. */
  kind: string;
  /** What the handler returns, for the page. */
  returns: string;
  /** The first half of the body has reached the client by then, so the row is `running` while bytes flow. */
  firstHalf?: string;
  /** Alike on both adapters, or by adapter; one that does not send the result has no half-way. */
  outcomes: Outcomes | Record<HttpKind, Outcomes | { well: Outcome }>;
  /** What to know of it. */
  note?: string;
}

const seen = (status: number, body: RegExp, says: string): Seen => ({ status, body, end: 'complete', says });
const cut = (body: RegExp, says: string): Seen => ({ status: 200, body, end: 'cut', says });

const succeeded = (client: Seen | null): Outcome => ({ status: 'succeeded', reason: null, seen: client });
const failed = (client: Seen): Outcome => ({ status: 'failed', reason: 'error', seen: client });
const cancelled = (client: Seen): Outcome => ({ status: 'cancelled', reason: 'user', seen: client });
const abandoned: Outcome = { status: 'cancelled', reason: 'client_disconnected', seen: null };

const thrown = seen(409, /"message":"half-way"/, '409, by the exception filter');
const answeredCancel = seen(409, /"code":"ACTIVITY_CANCELLED"/, '409, by the exception filter');

/** A result that is sent when it is whole: an error before that is answered as one, and a client that leaves stops nothing. */
function whole(well: Seen): Outcomes {
  return {
    well: succeeded(well),
    throws: failed(thrown),
    cancelled: cancelled(answeredCancel),
    left: succeeded(null),
  };
}

/** Bytes that flow while the body works: what breaks them off looks broken off. */
const bytes: Outcomes = {
  well: succeeded(seen(200, /^one two$/, '200, all bytes')),
  throws: failed(cut(/^one $/, '200, cut')),
  cancelled: cancelled(cut(/^one $/, '200, cut')),
  left: abandoned,
};

const events: Outcomes = {
  well: succeeded(seen(200, /data: one\n.*data: two\n\n$/s, '200, all events')),
  throws: failed(seen(200, /data: one\n.*event: error\n.*data: half-way\n\n$/s, '200, then an event `error`')),
  cancelled: cancelled(seen(200, /data: one\n.*event: error\n.*was cancelled/s, '200, then an event `error`')),
  left: abandoned,
};

const object = seen(200, /^\{"one":1,"two":2\}$/, '200, the value');
const braces = seen(200, /^\{\}$/, '200, `{}`');

export const RESULT_KINDS: readonly ResultKind[] = [
  { kind: 'value', returns: 'a value, or a promise of one', outcomes: whole(object) },
  {
    kind: 'thenable',
    returns: 'a thenable that runs with each `then`',
    outcomes: whole(object),
    note: 'It runs once.',
  },
  { kind: 'nothing', returns: '`undefined`', outcomes: whole(seen(200, /^$/, '200, empty')) },
  {
    kind: 'no-content',
    returns: '`undefined`, with `@HttpCode(204)`',
    outcomes: whole(seen(204, /^$/, '204')),
  },
  { kind: 'redirect', returns: '`@Redirect()`', outcomes: whole(seen(303, /^|elsewhere/, '303')) },
  { kind: 'view', returns: '`@Render()`', outcomes: whole(seen(200, /^<h1>one two<\/h1>$/, '200, the view')) },
  {
    kind: 'passthrough',
    returns: 'a value, beside `@Res({ passthrough: true })`',
    outcomes: whole(object),
  },
  {
    kind: 'observable',
    returns: 'an `Observable`',
    outcomes: { ...whole(seen(200, /^two$/, '200, the last value')), left: abandoned },
    note: 'Nest sends the last value, and unsubscribes when the client leaves.',
  },
  {
    kind: 'promised-observable',
    returns: 'a promise of an `Observable`',
    outcomes: { ...whole(seen(200, /^two$/, '200, the last value')), left: abandoned },
  },
  {
    kind: 'empty-observable',
    returns: '`EMPTY`',
    outcomes: { ...whole(seen(500, /Internal server error/, '500')), left: abandoned },
    note: 'The work has succeeded, but Nest has no value to send, and answers that with an error.',
  },
  { kind: 'events', returns: '`@Sse()`: an `Observable`', firstHalf: 'data: one', outcomes: events },
  {
    kind: 'promised-events',
    returns: '`@Sse()`: a promise of one, with `@SseSignal()`',
    firstHalf: 'data: one',
    outcomes: events,
  },
  { kind: 'file', returns: 'a `StreamableFile`', firstHalf: 'one ', outcomes: bytes },
  {
    kind: 'file-of-generator',
    returns: 'a `StreamableFile` of `Readable.from(generator)`',
    firstHalf: 'one ',
    outcomes: bytes,
    note: 'The generator runs within the activity, and its `finally` runs in every case.',
  },
  {
    kind: 'node-stream',
    returns: 'a Node stream',
    firstHalf: 'one ',
    outcomes: {
      express: { well: succeeded(seen(200, /^\{"_/, '200, the JSON of the object')) },
      fastify: bytes,
    },
    note: 'Express does not send it: return a `StreamableFile`. It is closed unread, with a warning in the log.',
  },
  {
    kind: 'web-stream',
    returns: 'a web `ReadableStream`',
    firstHalf: 'one ',
    outcomes: { express: { well: succeeded(braces) }, fastify: bytes },
    note: 'Express does not send it: return `new StreamableFile(Readable.fromWeb(stream))`.',
  },
  {
    kind: 'generator',
    returns: 'a promise of an async generator',
    outcomes: { ...whole(braces), left: abandoned },
    note: 'Nest does not read it. It is closed unread, with a warning in the log. Half-way is before it is returned.',
  },
  {
    kind: 'iterable',
    returns: 'a promise of another async iterable',
    outcomes: { ...whole(braces), left: abandoned },
    note: 'As above.',
  },
  {
    kind: 'response',
    returns: 'nothing: `@Res()`, written until the promise settles',
    firstHalf: 'one ',
    outcomes: {
      well: succeeded(seen(200, /^one two$/, '200, all bytes')),
      throws: failed(seen(200, /^one $/, '200, ended early')),
      cancelled: cancelled(seen(200, /^one $/, '200, ended early')),
      left: succeeded(null),
    },
    note:
      'What is thrown after the first byte cannot be answered any more: Nest ends the response, which looks complete. ' +
      'Destroy it yourself where that matters.',
  },
  {
    kind: 'response-after-return',
    returns: 'nothing: `@Res()`, written after the return',
    firstHalf: 'one ',
    outcomes: bytes,
    note: 'The activity ends with the response. One that is destroyed with an error has failed with it.',
  },
];

/** What is expected on one adapter; undefined where there is no such ending. */
export function outcomeOn(http: HttpKind, { outcomes }: ResultKind, ending: Ending): Outcome | undefined {
  const own: Partial<Outcomes> = 'well' in outcomes ? outcomes : outcomes[http];
  return own[ending];
}
