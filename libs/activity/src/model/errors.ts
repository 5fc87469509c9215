import { ActivityError } from './activity-error.js';
import type { ActivityStatus, FinalStatus } from './statuses.js';

export class ActivityNotFoundError extends ActivityError {
  readonly code = 'ACTIVITY_NOT_FOUND';
  constructor(
    readonly activityId: string,
    options?: ErrorOptions,
  ) {
    super(`No activity has the id "${activityId}". It may have been pruned: see the option \`retention\`.`, options);
  }
}

/** Cancel came too late, or a handle was settled twice: the first outcome stands. */
export class ActivityAlreadySettledError extends ActivityError {
  readonly code = 'ACTIVITY_ALREADY_SETTLED';
  constructor(
    readonly activityId: string,
    readonly status: FinalStatus,
    options?: ErrorOptions,
  ) {
    super(`Activity ${activityId} has already ended as "${status}"; nothing was changed.`, options);
  }
}

/** The activity's type was declared `cancellable: false`. */
export class ActivityNotCancellableError extends ActivityError {
  readonly code = 'ACTIVITY_NOT_CANCELLABLE';
  constructor(
    readonly activityId: string,
    readonly type: string,
    readonly status: ActivityStatus,
    options?: ErrorOptions,
  ) {
    super(`Activity ${activityId} cannot be cancelled: "${type}" is declared with \`cancellable: false\`.`, options);
  }
}

/** The activity waited for a slot, or for its `exclusive` key, longer than its `queueTimeout`; its body did not run. */
export class ActivityQueueTimeoutError extends ActivityError {
  readonly code = 'ACTIVITY_QUEUE_TIMEOUT';
  constructor(
    readonly activityId: string,
    readonly queueTimeoutMs: number,
    /** Of the limit, or the exclusive key. */
    readonly limitKey: string,
    { waitedFor = 'slot', ...options }: ErrorOptions & { waitedFor?: 'slot' | 'exclusive' } = {},
  ) {
    super(
      waitedFor === 'slot'
        ? `Activity ${activityId} waited ${queueTimeoutMs} ms for a slot of "${limitKey}" and got none. ` +
            'Raise `limit.max` or `queueTimeout`, or see what holds the slots.'
        : `Activity ${activityId} waited ${queueTimeoutMs} ms for "${limitKey}", which is exclusive, and did not get it. ` +
            'Raise `queueTimeout`, or see what holds it.',
      options,
    );
  }
}

/** `waitFor` gave up; the activity itself goes on. */
export class ActivityWaitTimeoutError extends ActivityError {
  readonly code = 'ACTIVITY_WAIT_TIMEOUT';
  constructor(
    readonly activityId: string,
    readonly status: ActivityStatus,
    readonly timeoutMs: number,
  ) {
    super(`Activity ${activityId} is still "${status}" after ${timeoutMs} ms; it goes on.`);
  }
}

/** An option has a value that is not allowed; the text names the option, the value and what is allowed. */
export class ActivityOptionError extends ActivityError {
  readonly code = 'ACTIVITY_OPTION_INVALID';
  constructor(
    readonly where: string,
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`${where}: ${problems.join('; ')}.`, options);
  }
}

/** A list query has a value that is not allowed. `problems` are fit for an API answer. */
export class ActivityQueryError extends ActivityError {
  readonly code = 'ACTIVITY_QUERY_INVALID';
  constructor(
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`The query cannot be answered: ${problems.join('; ')}.`, options);
  }
}

export class ActivityModuleMissingError extends ActivityError {
  readonly code = 'ACTIVITY_MODULE_MISSING';
  constructor(readonly asked: string) {
    super(`${asked} needs the activity tracker: add \`ActivityModule.forRoot()\` to the imports of your root module.`);
  }
}

export class ActivityModuleDuplicateError extends ActivityError {
  readonly code = 'ACTIVITY_MODULE_DUPLICATE';
  constructor() {
    super(
      'ActivityModule.forRoot() was imported twice in one application. Call it once, in the root module; it is global, ' +
        'so feature modules need nothing (a bare `ActivityModule` is harmless).',
    );
  }
}

/** A decorator stands where it cannot work; found when the class is defined or when the application starts. */
export class ActivityDecoratorError extends ActivityError {
  readonly code = 'ACTIVITY_DECORATOR_MISUSED';
}

/** What is known of a command that has failed. */
export interface CommandFailure {
  command: string;
  args: readonly string[];
  /** Null where a signal has ended it, or where it has not started. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** Its last lines on the standard error. */
  stderr: string;
  /** Why it could not be started. */
  problem?: string;
}

/** A command of `activity.exec()` could not be started, ended with an exit code other than 0, or by a signal. */
export class ActivityCommandError extends ActivityError {
  readonly code = 'ACTIVITY_COMMAND_FAILED';
  readonly command: string;
  readonly args: readonly string[];
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;

  constructor(failure: CommandFailure, options?: ErrorOptions) {
    super(sentenceOf(failure), options);
    this.command = failure.command;
    this.args = failure.args;
    this.exitCode = failure.exitCode;
    this.signal = failure.signal;
    this.stderr = failure.stderr;
  }
}

function sentenceOf({ command, args, exitCode, signal, stderr, problem }: CommandFailure): string {
  const line = [command, ...args].join(' ');
  const named = `\`${line.length > 200 ? `${line.slice(0, 200)}…` : line}\``;
  if (problem !== undefined) return `${named} could not be started: ${problem}`;
  const how = signal ? `was ended by ${signal}` : `ended with the exit code ${exitCode}`;
  return `${named} ${how}${stderr && `: ${stderr}`}`;
}

/** The database could not be reached or refused a write for good. */
export class ActivityStoreError extends ActivityError {
  readonly code = 'ACTIVITY_STORE_UNAVAILABLE';
}

/** The app's database is of a kind, or is used in a way, in which activities cannot be stored safely. */
export class ActivityStoreUnsupportedError extends ActivityError {
  readonly code = 'ACTIVITY_STORE_UNSUPPORTED';
}

export class ActivityMigrationsPendingError extends ActivityError {
  readonly code = 'ACTIVITY_MIGRATIONS_PENDING';
  constructor(
    readonly pending: readonly string[],
    options?: ErrorOptions,
  ) {
    super(
      `The activity tables lack ${pending.length} migration(s): ${pending.join(', ')}. Run them with TypeORM's command ` +
        'line, `typeorm migration:run -d FILE`, where FILE has `export default new ' +
        "DataSource(activityDataSourceOptions(…))` (in this package's own repository: `npm run migration:run`), or set " +
        "`migrations: 'run'`.",
      options,
    );
  }
}

/** The application is shutting down or closed: nothing new is started. */
export class ActivityShutDownError extends ActivityError {
  readonly code = 'ACTIVITY_SHUT_DOWN';
  /** @param type  what was to be started; left out where it is only told, as the reason of `ActivityService.shutdown`. */
  constructor(readonly type?: string) {
    super(
      type === undefined
        ? 'The application is shutting down.'
        : `"${type}" was not started: the application is shutting down.`,
    );
  }
}

export class ActivityAdminUnguardedError extends ActivityError {
  readonly code = 'ACTIVITY_ADMIN_UNGUARDED';
  constructor() {
    super(
      'ActivityAdminModule.forRoot() has no guard, so anyone could see and cancel everything. Pass ' +
        '`guards: [YourGuard]`, or `public: true` if that is meant.',
    );
  }
}
