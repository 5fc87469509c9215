import type { ActivityReason } from './reasons.js';
import type { ActivityStatus, FinalStatus } from './statuses.js';

/** Plain data, as JSON can hold it. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Who asked. The id is opaque text, with no foreign key to the app's users; the name is a snapshot. */
export interface Actor {
  id: string;
  name?: string | null;
}

/** What the activity works on. */
export interface Resource {
  type: string;
  id: string;
  name?: string | null;
}

/** An actor as it is kept: text is an id, and a name that is not given is null. */
export function toActor(actor: Actor | string | null | undefined): Actor | null {
  if (actor === null || actor === undefined) return null;
  return typeof actor === 'string' ? { id: actor, name: null } : { id: actor.id, name: actor.name ?? null };
}

/** A resource as it is kept: a name that is not given is null. */
export function toResource(resource: Resource | null | undefined): Resource | null {
  return resource ? { type: resource.type, id: resource.id, name: resource.name ?? null } : null;
}

/**
 * How far the activity, or a step of it, is. `percent` is 0–100, or null while unknown; `current` may pass `total` (an
 * estimate that was too low), `percent` then stays at 100.
 */
export interface Progress {
  percent: number | null;
  /** What is counted now: within a step it is the step's. */
  current: number | null;
  total: number | null;
  /** What is counted, e.g. `files`; null when it is not said. */
  unit: string | null;
  /** Units (where nothing is counted, percent) a second, of late; null while there is too little to say, and after the end. */
  perSecond: number | null;
}

/** `pending`: announced and not begun. `skipped`: the activity ended before it was. The others as for the activity. */
export type StepStatus = 'pending' | 'running' | FinalStatus | 'skipped';

/** One named part of an activity, with its own times and progress. */
export interface ActivityStep {
  name: string;
  status: StepStatus;
  /** Its share of the whole, beside those of the other steps; null: it has none. */
  weight: number | null;
  startedAt: Date | null;
  endedAt: Date | null;
  progress: Progress;
}

/** How long successful activities of a type took of late: half of them between `fromMs` and `toMs`. */
export interface UsualDuration {
  /** Of how many it is told: 50 at most. */
  count: number;
  fromMs: number;
  medianMs: number;
  toMs: number;
}

/**
 * Where the call came from: `http`, `rpc`, `ws`, `graphql`, `schedule`, `event`, `command`, `query`, `job`, `cli`, or null
 * for a plain call outside of a request.
 */
export interface Origin {
  kind: string | null;
  /** Readable form, e.g. `POST /images/:ref/pull` or `ReportService.nightly`. */
  label: string | null;
  requestId: string | null;
  /** W3C trace context of the causing request. */
  traceparent: string | null;
}

/** The job that the work of an activity is, in a queue that is kept elsewhere: `{ queue: 'bull:mail', id: '42' }`. */
export interface JobRef {
  /** Up to 191 characters. */
  queue: string;
  /** Up to 255 characters. */
  id: string;
}

/** A failure as it is stored: text only, so that anything that was thrown can be kept. */
export interface StoredError {
  name: string;
  message: string;
  code?: string;
  /** The message was written for whoever called: an HttpException's, say. Left out where it was not. */
  public?: true;
  stack?: string;
  /** Causes and the members of an AggregateError, outermost first. */
  causes?: StoredError[];
}

/** One recorded operation, as `get`, `list` and the admin API give it. Times are UTC. */
export interface Activity {
  /** A UUIDv7 of `createdAt`: ids are in the order of creation. */
  id: string;
  scope: string;
  type: string;
  /** A line for people; null when the type says enough. */
  title: string | null;
  resource: Resource | null;
  actor: Actor | null;
  batchId: string | null;
  parentId: string | null;
  status: ActivityStatus;
  reason: ActivityReason | null;
  cancellable: boolean;
  origin: Origin;
  /** Key of the limit whose slot it waits for, holds or held. */
  limitKey: string | null;
  /** Null: it is the work of no queue. */
  job: JobRef | null;
  /** How often its work was begun, with the time that it waits for: 1, unless it was tried again. */
  attempts: number;
  /** Its `percent` is that of the whole, and never falls; null while that cannot be known. */
  progress: Progress;
  /** When it will end, going by the rate of late; null while there is too little to say, and after the end. */
  expectedEndAt: Date | null;
  /** Name of the step that is going on, or was the last. */
  step: string | null;
  /** In their order: a hundred at most, the first and the newest. */
  steps: ActivityStep[];
  /** Steps that were left out between those. */
  omittedStepCount: number;
  /**
   * Name of the critical section that the work is in, null for none. A `cancelling` activity with one is finishing a
   * critical step: its signal aborts when that has ended.
   */
  criticalSection: string | null;
  /** The newest line of the log, cut to 500 characters. */
  latestMessage: string | null;
  /** Lines ever written, with those that the cap has left out. */
  messageCount: number;
  warningCount: number;
  errorCount: number;
  /** Lines that the cap per activity has left out. */
  droppedMessageCount: number;
  metadata: JsonObject;
  /** What the work returned, when `keepResult` says so; undefined otherwise. */
  result?: Json;
  error: StoredError | null;
  cancel: { requestedAt: Date; by: Actor | null; reason: string | null } | null;
  createdAt: Date;
  /** When it got its slot and the body was called, for the newest attempt; null while `queued` or if it never ran. */
  startedAt: Date | null;
  endedAt: Date | null;
  updatedAt: Date;
  /** Milliseconds from start to end, never negative; null before the end or if it never ran. */
  durationMs: number | null;
  /** The process that runs it; `queue` while a queue has it, and no process. */
  ownerId: string;
  /** Grows with each change of the row: a reader of changes drops what is older than it has. */
  version: number;
}

/** An activity without its bodies, as a list gives it: `metadata`, `result`, `steps` and the error's stack are left out. */
export type ActivitySummary = Omit<Activity, 'metadata' | 'result' | 'error' | 'steps' | 'omittedStepCount'> & {
  errorMessage: string | null;
};

export type MessageLevel = 'debug' | 'info' | 'success' | 'warn' | 'error';
export const MESSAGE_LEVELS: readonly MessageLevel[] = ['debug', 'info', 'success', 'warn', 'error'];

/** One line of an activity's log. `seq` starts at 1 and rises by one for each line ever written. */
export interface ActivityMessage {
  activityId: string;
  seq: number;
  at: Date;
  level: MessageLevel;
  text: string;
  /** `log` for `log.*` and the tracker's own lines, else the stream that was captured. */
  source: MessageSource;
  step: string | null;
}

export type MessageSource = 'log' | 'stdout' | 'stderr' | 'activity';
