import type { ActivityOptions } from '../config/activity.options.js';
import type { CancelHookOptions } from '../config/cancel.options.js';
import type { JsonObject, MessageLevel } from '../model/activity.js';
import type { ActivityWriter } from '../output/activity-writer.js';
import type { StepOptions } from './activity-progress.js';
import type { CancelHook } from './cancel-hooks.js';
import type { CommandOptions } from '../output/command.options.js';
import type { CommandResult } from '../output/run-command.js';
import type { WriterOptions } from '../output/writer.options.js';
import type { ProgressReport } from './progress-meter.js';
import type { StepWork } from './step-arguments.js';
import type { PlannedStep } from './step-list.js';

/** Writes lines to the activity's log. Text is kept as it is; an Error gives its message, other values their JSON. */
export type ActivityLogger = Record<MessageLevel, (message: unknown) => void>;

/**
 * What the work gets: its identity, its signal, and what it can say of itself. All functions work unbound
 * (`const { log } = activity`), return at once, and are quiet no-ops once the activity has ended.
 */
export interface ActivityContext {
  /** The nil UUID where nothing is tracked. */
  readonly id: string;
  /** False for the no-op outside an activity. */
  readonly tracked: boolean;
  /**
   * Aborts on a cancel, the deadline, a shutdown or a lost lease, with an `ActivityCancelledError` as its reason.
   * It does not abort when the activity ends well.
   */
  readonly signal: AbortSignal;
  /**
   * Aborts when the application is about to stop, `shutdownGrace` before `signal` does: time to save what there is and to
   * begin nothing more. Work that ends by throwing its reason (`shutdown.throwIfAborted()`) is `interrupted`; what it
   * returns is a success as ever.
   */
  readonly shutdown: AbortSignal;
  /**
   * Percent (0–100), or counts from which it follows; within a step it is the step's. Never goes backwards.
   * `{ children: 3 }`: it follows from the three children that are to begin.
   */
  progress(report: ProgressReport): void;
  /**
   * Begins a step, by a name of up to 255 characters, and ends the one before; null only ends it. A step that is open at
   * the end ends as the activity does.
   */
  step(name: string | null, options?: StepOptions): void;
  /** The same for work that is the step: it ends with the work, as succeeded, failed or, after an abort, cancelled. */
  step<T>(name: string, work: StepWork<T>): Promise<T>;
  step<T>(name: string, options: StepOptions, work: StepWork<T>): Promise<T>;
  /** Announces the steps that are to come, so that the progress of the whole is known from the start. */
  steps(plan: readonly (string | PlannedStep)[]): void;
  readonly log: ActivityLogger;
  readonly metadata: {
    /** Merges at the top level. */
    merge(patch: JsonObject): void;
    get(): Readonly<JsonObject>;
  };
  /**
   * A Node `Writable` whose lines go to this activity's log, wherever they are written. It pushes back while the database
   * is slow, and loses no line.
   * @throws {ActivityOptionError}
   */
  writer(options?: WriterOptions): ActivityWriter;
  /** A writer of level `info`; one that has been ended is followed by a new one. */
  readonly stdout: ActivityWriter;
  /** A writer of level `warn`. */
  readonly stderr: ActivityWriter;
  /**
   * Runs a program, without a shell, its output as lines of the log, and resolves when it has ended and all of that has
   * been taken. An abort ends it with all that it has started: SIGTERM, then SIGKILL after `killGrace` (5 s); on Windows
   * by `taskkill`, which has not been tried.
   * @throws {ActivityCommandError} it could not be started, or has failed; {ActivityOptionError}; the signal's reason.
   */
  exec(command: string, args?: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Resolves when every line so far is durable, or given up by the store. Never rejects. */
  flushed(): Promise<void>;
  /** @throws the signal's reason, if it has aborted. */
  throwIfCancelled(): void;
  /** Waits `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number): Promise<void>;
  /**
   * Calls `hook` once when the signal aborts, for whatever reason; at once if it has already. The newest is called first,
   * one after the other, with this activity as the current one, and the row settles when they have ended. Never called
   * when the activity ends without an abort.
   * @returns a function that takes the hook away.
   * @throws {ActivityOptionError} for a bad budget.
   */
  onCancel(hook: CancelHook, options?: CancelHookOptions): () => void;
  /**
   * Runs `work` to its end before a cancel, a deadline or a shutdown aborts the signal: the row then says `cancelling`,
   * with the name of the section, and the signal aborts the moment the outermost section has ended. Only a cancel with
   * `force`, and a lost lease, do not wait.
   * @param name  what the row says, up to 255 characters. Default `critical step`.
   * @returns what `work` gives.
   * @throws what `work` throws; the signal's reason, without calling `work`, if the activity has been asked to stop
   *   before (and this is not within a section that was open by then, or within a hook of `onCancel`).
   */
  uncancellable<T>(work: () => T | PromiseLike<T>): Promise<T>;
  uncancellable<T>(name: string, work: () => T | PromiseLike<T>): Promise<T>;
  /**
   * Runs `work` as a child of this activity, wherever it is called: also from callbacks of a pool or an emitter, which
   * run in a context of their own.
   * @throws as `ActivityService.run` does. A child that fails does not end its parent, unless the error is passed on.
   */
  run<T>(options: ChildActivityOptions, work: (activity: ActivityContext) => T | PromiseLike<T>): Promise<T>;
}

export type ChildActivityOptions = Omit<ActivityOptions, 'parentId'>;
