import { validate } from 'uuid';
import * as v from 'valibot';
import type { Actor, JsonObject, Resource } from '../model/activity.js';
import { CHOSEN_REASONS, type OutcomeChoices } from '../model/outcome.js';
import { FINAL_STATUSES } from '../model/statuses.js';
import { callable, checked, duration, durationOrNone, name, oneOf, positiveInteger, truth } from './check.js';
import type { Duration } from './duration.js';
import { respond, type RespondOptions, type ResponseMode } from './respond.options.js';

/** At most `max` activities with the same `key` run at once; the others wait as `queued`, first come first served. */
export interface LimitOptions {
  key: string;
  max: number;
}

/** What becomes of a call whose key another activity has: see `ExclusiveOptions`. */
export const CONFLICT_POLICIES = ['reject', 'queue', 'join', 'supersede'] as const;
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

/** At most one activity with the same `key` runs at once, in its scope, whatever its type and in whichever process. */
export interface ExclusiveOptions {
  /** 1–191 characters. */
  key: string;
  /**
   * `reject` (default): an `ActivityConflictError` that names the holder. `queue`: wait for the holder's end. `join`: the
   * holder's own result, without a second run. `supersede`: cancel the holder, then run.
   */
  onConflict?: ConflictPolicy;
}

/** What the tracker does when the store cannot record a start: run the work all the same, or refuse it. */
export type StoreFailurePolicy = 'run' | 'reject';

/** What becomes of work whose client leaves before the answer has been sent: it goes on, or is cancelled. */
export const DISCONNECT_POLICIES = ['continue', 'cancel'] as const;
export type DisconnectPolicy = (typeof DISCONNECT_POLICIES)[number];

/** How an activity is run, given by value. */
export interface ActivityOptions {
  /** What kind of work it is, e.g. `image.pull`: 1–128 characters. */
  type: string;
  /** A line for people, up to 255 characters. */
  title?: string | null;
  resource?: Resource | null;
  /** Who asked; text is taken as the id. */
  actor?: Actor | string | null;
  /** Tenant or environment, up to 64 characters. Default `default`. */
  scope?: string;
  /** Groups the activities of one user action: 1–64 characters of `A-Z a-z 0-9 . _ : -`. */
  batchId?: string | null;
  /** The activity that started it. Default: the one around the call; null for none. */
  parentId?: string | null;
  metadata?: JsonObject;
  /** How long it may run, from the grant of its slot; then its signal aborts and it fails. Default: no limit. */
  timeout?: Duration;
  /** How long it may wait for a slot; then it fails with `queue_timeout`. Default: no limit. */
  queueTimeout?: Duration;
  limit?: LimitOptions;
  /** Only one at a time; text is taken as the key. */
  exclusive?: string | ExclusiveOptions | null;
  /**
   * Only once: a second run with the same key (of the same scope, actor and type) gets the first one's result. 1–191
   * characters. The key is known as long as its row.
   */
  idempotencyKey?: string | null;
  /** How long work may go on after its signal has aborted, before the row is settled without it. Default 30 s. */
  cancelGrace?: Duration;
  /**
   * How long it may go on when the application stops, before its signal aborts; 0: not at all. Default: that of the
   * activity around it, or the module's; 0 for what has no end of its own (an `@Sse()` handler).
   */
  shutdownGrace?: Duration;
  /**
   * False: a user's cancel is refused, also by force, and one of the activity around it is not passed on. Default true.
   */
  cancellable?: boolean;
  /**
   * The status after an abort, by its reason, where it is another than `docs/reference/reasons.md` says: `{ deadline:
   * 'cancelled', client_disconnected: 'succeeded' }`. For work that ran and ended with an error.
   */
  outcomes?: OutcomeChoices;
  /** True: what the work returns is kept on the row as JSON, up to 64 KB. Default false. */
  keepResult?: boolean;
  /** Its share of its parent's progress, beside those of the other children; 0: none. Default 1. */
  weight?: number;
  /** Default: the module's. */
  onStoreFailure?: StoreFailurePolicy;
  /** Aborting it cancels the activity (reason `parent`). */
  signal?: AbortSignal;
}

/** The call that an option of `@TrackedActivity` may be a function of. */
export interface TrackedCall {
  /** The arguments as the method gets them. */
  // Arguments have the types of each decorated method; `any` lets `({ args: [ref] }) => …` be written without a cast.
  // oxlint-disable-next-line typescript/no-explicit-any
  args: any[];
  /** The instance whose method is called. */
  instance: object;
  className: string;
  methodName: string;
  /** The request behind the call (Express's or Fastify's, the message of a gateway); undefined for plain calls. */
  request?: unknown;
}

/** A value, or a function of the call that gives or promises one. */
export type OfCall<T> = T | ((call: TrackedCall) => T | Promise<T>);

/** What `@TrackedActivity` takes: the options of an activity, most of them as values or functions of the call. */
export interface TrackedActivityOptions {
  /** Default: `ClassName.methodName`. */
  type?: string;
  title?: OfCall<string | null | undefined>;
  resource?: OfCall<Resource | null | undefined>;
  actor?: OfCall<Actor | string | null | undefined>;
  scope?: OfCall<string | undefined>;
  batchId?: OfCall<string | null | undefined>;
  metadata?: OfCall<JsonObject | undefined>;
  timeout?: OfCall<Duration | undefined>;
  queueTimeout?: OfCall<Duration | undefined>;
  limit?: OfCall<LimitOptions | undefined>;
  exclusive?: OfCall<string | ExclusiveOptions | null | undefined>;
  idempotencyKey?: OfCall<string | null | undefined>;
  cancelGrace?: Duration;
  shutdownGrace?: Duration;
  cancellable?: boolean;
  outcomes?: OutcomeChoices;
  keepResult?: boolean;
  weight?: OfCall<number | undefined>;
  onStoreFailure?: StoreFailurePolicy;
  /** For HTTP handlers. Default: the module's. */
  onDisconnect?: DisconnectPolicy;
  /**
   * For HTTP handlers: how it answers (`result`, `accepted`, `stream`), and what its callers may ask for. Calls that do
   * not come over HTTP ignore it. Default `result`.
   */
  respond?: ResponseMode | RespondOptions;
  /**
   * What the method returns, where its declared type does not say so. Default: as declared (an `Observable`, an async
   * generator), else `promise`.
   */
  returns?: ReturnShape;
}

export const RETURN_SHAPES = ['promise', 'observable', 'asyncIterable'] as const;
export type ReturnShape = (typeof RETURN_SHAPES)[number];

export const batchId = v.custom<string>(
  (value) => typeof value === 'string' && /^[\w.:-]{1,64}$/.test(value),
  'must be 1 to 64 characters of A-Z a-z 0-9 . _ : -',
);

const activityId = v.pipe(
  v.custom<string>((value) => typeof value === 'string' && validate(value), 'must be the id of an activity, a UUID'),
  v.transform((value) => value.toLowerCase()),
);

const limit = v.strictObject({ key: name(191), max: positiveInteger }, 'must be { key, max }');
const exclusiveKey = name(191);
const exclusive = v.pipe(
  v.lazy((input): v.GenericSchema =>
    typeof input === 'string'
      ? exclusiveKey
      : v.strictObject(
          { key: exclusiveKey, onConflict: v.optional(oneOf(CONFLICT_POLICIES)) },
          'must be a key, or { key, onConflict? }',
        ),
  ),
  v.transform((value): Required<ExclusiveOptions> => {
    const given = value as string | ExclusiveOptions;
    return typeof given === 'string' ? { key: given, onConflict: 'reject' } : { onConflict: 'reject', ...given };
  }),
);
/** Also of the headers `Operation-Id` and `Idempotency-Key`. */
export const idempotencyKey = name(191);
export const actor = v.custom<Actor | string>(
  (value) => isName(value) || (typeof value === 'object' && value !== null && isName((value as Actor).id)),
  'must be { id, name? } with a non-empty text id, or that id',
);
const resource = v.custom<Resource>(
  (value) =>
    typeof value === 'object' && value !== null && isName((value as Resource).type) && isName((value as Resource).id),
  'must be { type, id, name? } with non-empty texts',
);
const jsonObject = v.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be a plain object',
);
const text = v.string('must be text');
const weight = v.custom<number>(
  (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
  'must be a number of at least 0',
);
const outcomes = v.strictObject(
  v.entriesFromList(CHOSEN_REASONS, v.optional(oneOf(FINAL_STATUSES))),
  'must be an object of statuses by reason',
);
const signal = v.custom<AbortSignal>(
  (value) => typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
  'must be an AbortSignal',
);

function isName(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0;
}

/** Each option as a value. Also used, one at a time, for what a function of the call has given. */
export const activityOptionEntries = {
  type: name(128),
  title: v.nullish(text),
  resource: v.nullish(resource),
  actor: v.nullish(actor),
  scope: v.optional(name(64)),
  batchId: v.nullish(batchId),
  parentId: v.nullish(activityId),
  metadata: v.optional(jsonObject),
  timeout: v.optional(duration),
  queueTimeout: v.optional(duration),
  limit: v.optional(limit),
  exclusive: v.nullish(exclusive),
  idempotencyKey: v.nullish(idempotencyKey),
  cancelGrace: v.optional(duration),
  shutdownGrace: v.optional(durationOrNone),
  cancellable: v.optional(truth),
  outcomes: v.optional(outcomes),
  keepResult: v.optional(truth),
  weight: v.optional(weight),
  onStoreFailure: v.optional(oneOf(['run', 'reject'])),
  signal: v.optional(signal),
};

const activityOptions = v.strictObject(activityOptionEntries, 'must be an object');

/** Options of one run, checked, with durations in milliseconds. */
export type CheckedActivityOptions = v.InferOutput<typeof activityOptions>;

/** @throws {ActivityOptionError} naming what is wrong and what is allowed. */
export function checkActivityOptions(options: ActivityOptions): CheckedActivityOptions {
  return checked('Activity options', activityOptions, options);
}

function ofCall<const S extends v.GenericSchema>(schema: S) {
  return v.optional(v.lazy((input): v.GenericSchema => (typeof input === 'function' ? callable : schema)));
}

const { signal: _signal, parentId: _parentId, type, ...perCall } = activityOptionEntries;
const trackedActivityOptions = v.strictObject(
  {
    type: v.optional(type),
    title: ofCall(perCall.title),
    resource: ofCall(perCall.resource),
    actor: ofCall(perCall.actor),
    scope: ofCall(perCall.scope),
    batchId: ofCall(perCall.batchId),
    metadata: ofCall(perCall.metadata),
    timeout: ofCall(perCall.timeout),
    queueTimeout: ofCall(perCall.queueTimeout),
    limit: ofCall(perCall.limit),
    exclusive: ofCall(perCall.exclusive),
    idempotencyKey: ofCall(perCall.idempotencyKey),
    cancelGrace: perCall.cancelGrace,
    shutdownGrace: perCall.shutdownGrace,
    cancellable: perCall.cancellable,
    outcomes: perCall.outcomes,
    keepResult: perCall.keepResult,
    weight: ofCall(perCall.weight),
    onStoreFailure: perCall.onStoreFailure,
    onDisconnect: v.optional(oneOf(DISCONNECT_POLICIES)),
    respond: v.optional(respond),
    returns: v.optional(oneOf(RETURN_SHAPES)),
  },
  'must be an object',
);

/** @throws {ActivityOptionError} when the class is defined, so a mistake never reaches a request. */
export function checkTrackedActivityOptions(where: string, options: TrackedActivityOptions): void {
  checked(where, trackedActivityOptions, options);
}
