import type { ActivityBus } from './bus/activity-bus.js';
import { checkActivityOptions, type ActivityOptions, type CheckedActivityOptions } from './config/activity.options.js';
import { checkCancelOptions, type CancelOptions } from './config/cancel.options.js';
import { toMilliseconds, type Duration } from './config/duration.js';
import { createActivityHandle, type ActivityHandle } from './execution/activity-handle.js';
import type { ActivityContext } from './execution/activity-context.js';
import type { ActivityEvents, ActivityListener } from './execution/activity-events.js';
import type { ActivityRunner } from './execution/activity-runner.js';
import type { RunRequest } from './execution/run-request.js';
import { requestCancel, type CancelReceipt } from './execution/request-cancel.js';
import { UsualDurations } from './execution/usual-durations.js';
import { waitForEnd } from './live/wait-for-end.js';
import { pruneRequest } from './recovery/retention-timer.js';
import { toActor, type Activity, type ActivityMessage, type UsualDuration } from './model/activity.js';
import type { ActivityProcess } from './model/owner.js';
import type { ActivityStats } from './model/stats.js';
import { ActivityNotFoundError, ActivityOptionError, ActivityQueryError } from './model/errors.js';
import type {
  ActivityCount,
  ActivityFilter,
  ActivityPage,
  ActivityQuery,
  ActivityStore,
  MessageQuery,
  PruneResult,
} from './storage/activity-store.js';
import { requestOfRun } from './tracking/request-of-run.js';

/** Work that goes on after the call that started it. */
export interface BackgroundActivity<T> {
  readonly id: string;
  readonly signal: AbortSignal;
  /** The work's own value or error. Need not be awaited: an error stands on the row, and is not "unhandled". */
  readonly done: Promise<T>;
}

export interface ServiceParts {
  runner: ActivityRunner;
  store: ActivityStore;
  bus: ActivityBus;
  events: ActivityEvents;
}

/** What is settled by hand has no result that a second call could be given. */
function refuseSharing(where: string, { exclusive, idempotencyKey }: CheckedActivityOptions): void {
  const problems: string[] = [];
  if (exclusive?.onConflict === 'join') {
    problems.push("`exclusive.onConflict` is \"join\": it must be 'reject', 'queue' or 'supersede' here, or use `run`");
  }
  if (typeof idempotencyKey === 'string') problems.push('`idempotencyKey` is not allowed here: use `run`');
  if (problems.length > 0) throw new ActivityOptionError(where, problems);
}

/** Runs, watches, cancels and lists activities. Inject it anywhere: `ActivityModule` is global. */
export class ActivityService {
  readonly #parts: ServiceParts;
  readonly #usual: UsualDurations;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#usual = new UsualDurations((of) => parts.store.recentDurations(of));
  }

  /**
   * Aborts when the application begins to stop, before its hooks are called: for what fetches work of its own accord (a
   * poller, a consumer), which must not begin more. Within an activity there is `activity.shutdown`.
   */
  get shutdown(): AbortSignal {
    return this.#parts.runner.gate.shutdown;
  }

  /**
   * Calls `listener` for what happens to the activities of this application: `queued`, `started`, `cancelling`,
   * `settled`. One that throws or rejects is logged, and harms nothing.
   * @returns a function that stops the listening.
   */
  on(listener: ActivityListener): () => void {
    return this.#parts.events.on(listener);
  }

  /**
   * Runs `work` as an activity and gives its value or error, untouched.
   * @throws {ActivityOptionError} for a bad option, before anything is written; what `work` throws;
   *   {ActivityQueueTimeoutError} when no slot came in time; the signal's reason when it was cancelled while it waited.
   */
  async run<T>(options: ActivityOptions, work: (activity: ActivityContext) => T | PromiseLike<T>): Promise<T> {
    return this.#parts.runner.run(await this.#request(options), work);
  }

  /** Starts an activity that is settled by hand: `handle.succeed()`, `fail(error)`, `settle(error?)`. Waits for its slot. */
  async start(options: ActivityOptions): Promise<ActivityHandle> {
    const request = await this.#request(options);
    refuseSharing('start()', request.options);
    const activity = await this.#parts.runner.begin(request);
    return createActivityHandle(activity, options.keepResult ?? false);
  }

  /** Like `run`, but resolves as soon as the start is recorded (it may still wait for its slot). */
  async runInBackground<T>(
    options: ActivityOptions,
    work: (activity: ActivityContext) => T | PromiseLike<T>,
  ): Promise<BackgroundActivity<T>> {
    return this.#parts.runner.runInBackground(await this.#request(options), work);
  }

  /**
   * Asks an activity to stop: the fact is written first, then its signal aborts. Asking twice is harmless; asking with
   * `force` ends it without its work.
   * @throws {ActivityNotFoundError}, {ActivityAlreadySettledError} (too late), {ActivityNotCancellableError} (also with
   *   `force`), {ActivityWaitTimeoutError} when it has not ended within `timeout`; the request stands.
   */
  async cancel(id: string, options: CancelOptions = {}): Promise<CancelReceipt> {
    const { by, reason, wait, timeout, force } = checkCancelOptions(options);
    const fact = { requestedAt: new Date(), by: toActor(by), reason: this.#parts.runner.redaction.textOrNull(reason) };
    const receipt = await requestCancel(id, this.#parts, { fact, force });
    if (wait === 'requested') return receipt;
    return { ...receipt, activity: await waitForEnd(id, this.#parts, { timeoutMs: timeout }) };
  }

  /** Null for an id that is not known. */
  get(id: string): Promise<Activity | null> {
    return this.#parts.store.get(id);
  }

  /** @throws {ActivityQueryError} naming what is not allowed. */
  list(query: ActivityQuery = {}): Promise<ActivityPage> {
    return this.#parts.store.list(query);
  }

  /**
   * How long activities of this type usually take: from the last 50 that succeeded, kept for a minute.
   * @returns null with fewer than five.
   */
  usualDuration(type: string, { scope = 'default' }: { scope?: string } = {}): Promise<UsualDuration | null> {
    return this.#usual.of({ type, scope });
  }

  /**
   * How many activities a filter finds: exact up to 10,000, and beyond that only that there are more.
   * @throws {ActivityQueryError} naming what is not allowed.
   */
  count(filter: ActivityFilter = {}): Promise<ActivityCount> {
    return this.#parts.store.count(filter);
  }

  /**
   * Lines of the log, by `seq`.
   * @throws {ActivityNotFoundError}, {ActivityQueryError}.
   */
  async messages(id: string, query: MessageQuery = {}): Promise<ActivityMessage[]> {
    const messages = await this.#parts.store.messages(id, query);
    if (messages.length === 0 && !(await this.get(id))) throw new ActivityNotFoundError(id);
    return messages;
  }

  /**
   * Resolves with the activity once it has ended, from whichever process; at once if it has already.
   * @param options.timeout default: none. @param options.signal stops the waiting, not the activity.
   * @throws {ActivityNotFoundError}, {ActivityWaitTimeoutError}, the signal's reason.
   */
  async waitFor(id: string, { timeout, signal }: { timeout?: Duration; signal?: AbortSignal } = {}): Promise<Activity> {
    const timeoutMs = timeout === undefined ? undefined : toMilliseconds(timeout);
    if (timeout !== undefined && timeoutMs === undefined) {
      throw new ActivityOptionError('waitFor', [
        `\`timeout\` is ${String(timeout)}: it must be a positive number of milliseconds or text such as "30s"`,
      ]);
    }
    return waitForEnd(id, this.#parts, { timeoutMs, signal });
  }

  /**
   * A signal that aborts with the activity's own, or with `parentSignal`.
   * @throws {ActivityNotFoundError} when the activity does not run in this process.
   */
  track(id: string, parentSignal?: AbortSignal): AbortSignal {
    const activity = this.#parts.runner.running.get(id);
    if (!activity) throw new ActivityNotFoundError(id);
    return activity.deriveSignal(parentSignal);
  }

  /**
   * Deletes now what the option `retention` says is too old or too many, which the timer does by itself. Active ones, and
   * those that ended less than `minAge` ago, are never taken.
   * @param options.dryRun counts, deletes nothing. @param options.signal stops between two small steps.
   */
  prune({ dryRun = false, signal }: { dryRun?: boolean; signal?: AbortSignal } = {}): Promise<PruneResult> {
    const { retention } = this.#parts.runner.settings;
    if (!retention) return Promise.resolve({ activities: 0, messages: 0, by: [] });
    return this.#parts.store.prune(pruneRequest(retention, { dryRun }), signal);
  }

  /**
   * Deletes ended activities; active ones are spared.
   * @param filter which; without any, `all: true` must say that all are meant.
   * @returns how many.
   */
  async clearHistory({ all = false, ...filter }: ActivityFilter & { all?: boolean } = {}): Promise<number> {
    if (!all && Object.values(filter).every((value) => value === undefined)) {
      throw new ActivityQueryError(['clearHistory without a filter would delete the whole history: pass `all: true`']);
    }
    return this.#parts.store.clearHistory(filter);
  }

  /**
   * How the tracker of this process is doing: what runs, what waits to be written, how the writing goes, and what was left
   * out. Cheap enough to be asked for every second.
   */
  stats(): ActivityStats {
    const { running, logMemory } = this.#parts.runner;
    const { isConnected } = this.#parts.bus;
    const { droppedStarts, waiting, ...writes } = this.#parts.store.stats();
    return {
      activities: running.counts(),
      bus: isConnected === null ? null : { isConnected },
      waiting: { ...waiting, lines: logMemory.lines },
      ...writes,
      dropped: { activities: droppedStarts, lines: logMemory.leftOut },
    };
  }

  /** The processes that share this database: which they are, when each was last heard of, and how much it runs. */
  processes(): Promise<ActivityProcess[]> {
    return this.#parts.store.processes();
  }

  #request(options: ActivityOptions): Promise<RunRequest> {
    return requestOfRun(checkActivityOptions(options), this.#parts.runner.settings);
  }
}
