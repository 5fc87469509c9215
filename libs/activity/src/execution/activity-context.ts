import type { JsonObject, MessageLevel } from '../model/activity.js';
import type { ActivityWriter } from '../output/activity-writer.js';
import type { ProgressReport } from './progress-meter.js';

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
  /** Percent (0–100), or counts from which it follows. Never goes backwards. */
  progress(report: ProgressReport): void;
  /** Names what is going on now, up to 255 characters; null for nothing in particular. */
  step(name: string | null): void;
  readonly log: ActivityLogger;
  readonly metadata: {
    /** Merges at the top level. */
    merge(patch: JsonObject): void;
    get(): Readonly<JsonObject>;
  };
  /** A Node `Writable` whose lines go to this activity's log, wherever they are written. */
  writer(options?: WriterOptions): ActivityWriter;
  /** @throws the signal's reason, if it has aborted. */
  throwIfCancelled(): void;
  /** Waits `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number): Promise<void>;
}

export interface WriterOptions {
  /** Level of its lines. Default `info`. */
  level?: MessageLevel;
  /** Which stream of a child process it takes. Default `stdout`. */
  source?: 'stdout' | 'stderr';
}
