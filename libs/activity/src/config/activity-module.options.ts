import type { ExecutionContext } from '@nestjs/common';
import type { DataSourceOptions } from 'typeorm';
import * as v from 'valibot';
import type { Actor } from '../model/activity.js';
import {
  DISCONNECT_POLICIES,
  type DisconnectPolicy,
  type StoreFailurePolicy,
  type TrackedCall,
} from './activity.options.js';
import { bus, type BusOption } from './bus.options.js';
import { captureLogs, type CaptureLogsOptions } from './capture-logs.options.js';
import { callable, checked, duration, durationOrNone, name, oneOf } from './check.js';
import type { Duration } from './duration.js';
import { redact, type RedactOption } from './redact.options.js';
import { retention, type Retention, type RetentionOptions } from './retention.options.js';

export type MigrationPolicy = 'run' | 'check' | 'off';

/** The call whose actor is asked for. */
export interface ActorCall extends Omit<TrackedCall, 'instance'> {
  /** Undefined for `ActivityService.run()` within a request, which has no arguments either. */
  instance?: object;
  /** Nest's view of the request, message or operation in which the call was made; undefined outside of one. */
  context?: ExecutionContext;
}

/** What `ActivityModule.forRoot()` takes. Everything has a default. */
export interface ActivityModuleOptions {
  /** Name of the TypeORM data source whose database holds the activities. Default: the unnamed one. */
  dataSource?: string;
  /** A database of the tracker's own, in place of the app's. */
  connection?: DataSourceOptions;
  /** Put before the names of the tables (`activities`, `activity_messages`, …), e.g. `ops_`. Default none. */
  tablePrefix?: string;
  /** At start: run what is missing, refuse to start naming it, or do not look. Default `run`. */
  migrations?: MigrationPolicy;
  /**
   * Who asked. Default: `request.user` (its `id`, `sub`, `userId` or `username`; its `name` or `username`), or the `user`
   * of a gateway's client, a message's context, or GraphQL's context.
   */
  actor?: (call: ActorCall) => Actor | string | null | undefined | Promise<Actor | string | null | undefined>;
  /** The tenant or environment of a call. Default `default`. */
  scope?: (call: ActorCall) => string | undefined | Promise<string | undefined>;
  /** Defaults for every activity. */
  timeout?: Duration;
  queueTimeout?: Duration;
  /** Default 30 s. */
  cancelGrace?: Duration;
  /** Default `run`: the work matters more than its record. */
  onStoreFailure?: StoreFailurePolicy;
  /** What becomes of work whose HTTP client leaves before its answer has been sent. Default `continue`. */
  onDisconnect?: DisconnectPolicy;
  /** How long a start waits for its row to be durable. Default 2 s. */
  startTimeout?: Duration;
  /** How often progress is written at most, per activity. Default 250 ms. */
  progressInterval?: Duration;
  /**
   * How other processes are told at once what they would else find by a poll. Default: `LISTEN` and `NOTIFY` where the
   * activities are in PostgreSQL, on one more connection; elsewhere nothing. `redisBus()` of `nestjs-activity/redis`, or any
   * other carrier, is given as the function that makes it.
   */
  bus?: BusOption;
  /**
   * How often a process that runs something asks the database what other processes have asked of it, where no bus tells:
   * so long a cancel from another process may take to be heard. Default 1 s.
   */
  cancelPoll?: Duration;
  /**
   * How long running work may go on when the application stops, before its signal aborts; 0: not at all. Default 10 s.
   */
  shutdownGrace?: Duration;
  /**
   * How long this process is believed to live without a word from it; then other processes end its activities as
   * `interrupted`. It renews it three times as often. The same in all processes on a database. Default 30 s.
   */
  lease?: Duration;
  /** Characters of one log line; the rest is cut with a mark. Default 8,192. */
  maxMessageLength?: number;
  /** Lines kept of one activity: the first half and the newest half. Default 10,000. */
  maxMessages?: number;
  /**
   * How many writes may wait while the database is slow or away, before activities that start are not recorded; what has
   * been recorded as started keeps its end. Default 100,000: about 800 MB (8 kB each).
   */
  maxWaitingWrites?: number;
  /**
   * Secrets to keep out of the record, beside those that are known (`password`, `token`, `authorization`, `api key`, …):
   * names of keys, in any spelling, and patterns of text. False keeps nothing out.
   */
  redact?: RedactOption;
  /**
   * Lines of Nest's `Logger` that are written within an activity also become lines of it. Default false; true: all.
   */
  captureLogs?: boolean | CaptureLogsOptions;
  /**
   * What of the ended activities is deleted, on a timer and by `prune()`. Default `{ maxAge: '30d', maxCount: 10_000 }`
   * for each scope; false keeps all.
   */
  retention?: RetentionOptions | false;
}

/** Options with their defaults, durations in milliseconds. */
export interface ActivitySettings {
  dataSource?: string;
  connection?: DataSourceOptions;
  tablePrefix: string;
  migrations: MigrationPolicy;
  actor?: ActivityModuleOptions['actor'];
  scope?: ActivityModuleOptions['scope'];
  timeout?: number;
  queueTimeout?: number;
  cancelGrace: number;
  onStoreFailure: StoreFailurePolicy;
  onDisconnect: DisconnectPolicy;
  startTimeout: number;
  progressInterval: number;
  bus?: BusOption;
  cancelPoll: number;
  shutdownGrace: number;
  lease: number;
  maxMessageLength: number;
  maxMessages: number;
  maxWaitingWrites: number;
  redact: RedactOption;
  captureLogs: CaptureLogsOptions | false;
  retention: Retention | false;
}

/** A shorter one would be lost to a garbage collection. */
const SHORTEST_LEASE_MS = 500;

const schema = v.strictObject(
  {
    dataSource: v.optional(name(128)),
    connection: v.optional(
      v.custom<DataSourceOptions>(
        (value) => typeof value === 'object' && value !== null && 'type' in value,
        'must be the options of a TypeORM data source',
      ),
    ),
    tablePrefix: v.optional(
      v.custom<string>(
        (value) => typeof value === 'string' && /^[a-z_][a-z0-9_]{0,23}$|^$/.test(value),
        'must be at most 24 characters of a-z, 0-9 and _, and begin with a letter or _',
      ),
      '',
    ),
    migrations: v.optional(oneOf(['run', 'check', 'off']), 'run'),
    actor: v.optional(callable),
    scope: v.optional(callable),
    timeout: v.optional(duration),
    queueTimeout: v.optional(duration),
    cancelGrace: v.optional(duration, '30s'),
    onStoreFailure: v.optional(oneOf(['run', 'reject']), 'run'),
    onDisconnect: v.optional(oneOf(DISCONNECT_POLICIES), 'continue'),
    startTimeout: v.optional(duration, '2s'),
    progressInterval: v.optional(duration, '250ms'),
    bus: v.optional(bus),
    cancelPoll: v.optional(duration, '1s'),
    shutdownGrace: v.optional(durationOrNone, '10s'),
    lease: v.optional(
      v.pipe(
        duration,
        v.check((leaseMs) => leaseMs >= SHORTEST_LEASE_MS, `must be at least ${SHORTEST_LEASE_MS} ms`),
      ),
      '30s',
    ),
    maxMessageLength: v.optional(
      v.custom<number>(
        (value) => Number.isSafeInteger(value) && (value as number) >= 80 && (value as number) <= 65_536,
        'must be a whole number from 80 to 65536',
      ),
      8192,
    ),
    maxMessages: v.optional(
      v.custom<number>(
        (value) => Number.isSafeInteger(value) && (value as number) >= 10,
        'must be a whole number of at least 10',
      ),
      10_000,
    ),
    maxWaitingWrites: v.optional(
      v.custom<number>(
        (value) => Number.isSafeInteger(value) && (value as number) >= 100,
        'must be a whole number of at least 100',
      ),
      100_000,
    ),
    redact: v.optional(redact, []),
    captureLogs: v.optional(captureLogs, false),
    retention: v.optional(retention, {}),
  },
  'must be an object',
);

/**
 * Options with their defaults.
 * @throws {ActivityOptionError} naming what is wrong and what is allowed.
 */
export function resolveModuleOptions(options: ActivityModuleOptions = {}): ActivitySettings {
  return checked('ActivityModule options', schema, options) as ActivitySettings;
}
