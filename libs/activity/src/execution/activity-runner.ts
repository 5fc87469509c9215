import { checkActivityOptions } from '../config/activity.options.js';
import type { ActivitySettings } from '../config/activity-module.options.js';
import type { Activity } from '../model/activity.js';
import { errorText } from '../model/stored-error.js';
import type { ActivityBus } from '../bus/activity-bus.js';
import { Redaction } from '../output/redaction.js';
import type { ActivityStore, CasResult } from '../storage/activity-store.js';
import type { ActivityContext } from './activity-context.js';
import type { ActivityEvents } from './activity-events.js';
import { ActivityRun } from './activity-run.js';
import { createRunningActivity, type ActivityFactoryParts } from './activity-factory.js';
import { Admission, hasKeys } from './admission.js';
import { ambientActivity, withinActivity } from './ambient-activity.js';
import type { ConcurrencyLimiter } from './concurrency-limiter.js';
import { LogMemory } from './log-memory.js';
import type { JoinedRun } from './joined-run.js';
import type { RunRequest } from './run-request.js';
import { RunningActivities } from './running-activities.js';
import type { RunningActivity, RunningActivityListener } from './running-activity.js';
import { StartGate } from './start-gate.js';
import type { Work } from './start-work.js';
import { StoreWatch } from './store-watch.js';

/** Beyond it they wait for the end of the process, whose lease ends them. */
const MOST_UNRECORDED = 10_000;

export interface RunnerParts {
  settings: ActivitySettings;
  store: ActivityStore;
  bus: ActivityBus;
  limiter: ConcurrencyLimiter;
  events: ActivityEvents;
  /** Nest's Logger fits. */
  logger: { warn(text: string): void; log(text: string): void; debug(text: string): void };
}

/**
 * Starts activities, runs their work and settles them: record the start, wait for a slot, call the body with the
 * activity around it, settle. One for each application; what it runs is in `running`.
 */
export class ActivityRunner {
  readonly running = new RunningActivities();
  readonly settings: ActivitySettings;
  readonly redaction: Redaction;
  readonly logMemory = new LogMemory();
  readonly gate = new StartGate();
  /** What has ended here while its row still says that it runs: the sweep looks after it. */
  readonly unrecorded = new Set<string>();
  readonly #parts: RunnerParts;
  readonly #watch: StoreWatch;
  readonly #admission: Admission;
  readonly #listener: RunningActivityListener;
  readonly #factoryParts: ActivityFactoryParts;

  constructor(parts: RunnerParts) {
    this.settings = parts.settings;
    this.redaction = new Redaction(parts.settings.redact);
    this.#parts = parts;
    this.#watch = new StoreWatch(parts.settings.startTimeout, parts.store, parts.logger);
    this.#admission = new Admission({ ...parts, watch: this.#watch });
    this.#listener = {
      settled: (activity, result) => this.#settled(activity, result),
      unrecorded: ({ id }, error) => {
        parts.logger.warn(`The end of activity ${id} could not be recorded: ${errorText(error)}`);
        if (this.unrecorded.size < MOST_UNRECORDED) this.unrecorded.add(id);
      },
      cancelling: (activity) => parts.events.emit('cancelling', activity.record),
      abandoned: (activity) => this.running.abandon(activity),
      released: (activity) => this.running.delete(activity),
      within: withinActivity,
      runChild: async (parent, options, work) => this.run({ options: checkActivityOptions(options), parent }, work),
      debug: (text) => parts.logger.debug(text),
      warn: (text) => parts.logger.warn(text),
    };
    this.#factoryParts = {
      settings: parts.settings,
      record: {
        store: parts.store,
        owner: { ownerId: parts.store.ownerId, fence: 1 },
        settings: parts.settings,
        redaction: this.redaction,
        logMemory: this.logMemory,
        failures: {
          onLost: (id, error) => parts.logger.warn(`Part of activity ${id} is not recorded: ${errorText(error)}`),
          onLate: (id, what) => parts.logger.debug(`Activity ${id} has ended; late ${what} is dropped.`),
        },
      },
      listener: this.#listener,
      watch: this.#watch,
    };
  }

  /**
   * Runs `body` as an activity and gives its value or error, untouched. A result that goes on
   * (a stream, say) is followed to its end.
   * @throws what `begin` throws, and the signal's reason when the body ignored it for longer than the grace.
   */
  run<T>(request: RunRequest, body: (activity: ActivityContext) => T | PromiseLike<T>): Promise<T> {
    return this.runWork(request, (activity) => body(activity.context));
  }

  /** The same for work that may not want the context, which is made when it is asked for. */
  runWork<T>(request: RunRequest, body: Work<T>): Promise<T> {
    if (!hasKeys(request.options)) return this.#run(request, body);
    // What the run comes to must be there for others before the run itself begins.
    let tell!: (outcome: Promise<T>) => void;
    const outcome = new Promise<T>((resolve) => (tell = resolve));
    outcome.catch(() => undefined);
    const run = this.#run({ ...request, ...(request.isShared === false ? {} : { outcome }) }, body);
    tell(run);
    return run;
  }

  #run<T>(request: RunRequest, body: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const activity = this.#create(request);
      this.#admission.admit(activity, request, new ActivityRun(activity, request, body, { resolve, reject }));
    });
  }

  /** Like `run`, but resolves once the start is recorded; the slot is waited for, and the work runs, behind it. */
  async runInBackground<T>(
    request: RunRequest,
    body: (activity: ActivityContext) => T | PromiseLike<T>,
  ): Promise<{ id: string; signal: AbortSignal; done: Promise<T> }> {
    const { id, signal, done } = await this.launch(request, body);
    return { id, signal, done };
  }

  /** The same, with a look at how the activity stands now: null for one that is gone. */
  async launch<T>(
    request: RunRequest,
    body: (activity: ActivityContext) => T | PromiseLike<T>,
  ): Promise<{ id: string; signal: AbortSignal; done: Promise<T>; look: () => Promise<Activity | null> }> {
    let tellRecorded!: (activity: { id: string; signal: AbortSignal }) => void;
    const recorded = new Promise<{ id: string; signal: AbortSignal }>((resolve) => (tellRecorded = resolve));
    // One that another stands for is there as that one.
    const onJoined = (joined: JoinedRun): void => {
      request.onJoined?.(joined);
      const { activityId, signal = new AbortController().signal } = joined;
      tellRecorded({ id: activityId, signal });
    };
    const onRecorded = (activity: RunningActivity): void => {
      request.onRecorded?.(activity);
      tellRecorded(activity);
    };
    const done = this.run({ ...request, onRecorded, onJoined }, body);
    done.catch(() => undefined);
    // A start that is refused rejects `done` before anything is recorded.
    const { id, signal } = await Promise.race([recorded, done.then(() => recorded)]);
    const look = async (): Promise<Activity | null> =>
      this.running.get(id)?.record.snapshot() ?? this.#parts.store.get(id).catch(() => null);
    return { id, signal, done, look };
  }

  /**
   * The first half of `run`: resolves when the body may be called. Whoever calls this calls the body within the
   * activity, then `finish`es it.
   * @throws {ActivityShutDownError} while the application stops; {ActivityQueueTimeoutError} no slot came in time;
   *   {ActivityStoreError} the start could not be recorded and the policy is `reject`; the signal's reason when the
   *   activity was aborted before its body; for its keys {ActivityConflictError}, {ActivityKeyReusedError},
   *   {ActivityResultUnavailableError}, {ActivityFailedError}.
   */
  begin(request: RunRequest): Promise<RunningActivity> {
    return new Promise((resolve, reject) => {
      const activity = this.#create(request);
      this.#admission.admit(activity, request, {
        // Only `run` offers what its run comes to, so only a call of `run` is ever joined to another.
        admitted: (joined) =>
          joined
            ? reject(new TypeError('An activity that is begun by hand was joined to another.'))
            : resolve(activity),
        refused: reject,
      });
    });
  }

  /** @throws {ActivityShutDownError} while the application stops. */
  #create(request: RunRequest): RunningActivity {
    try {
      const parent = this.#parentOf(request);
      const isChild = parent !== undefined && this.running.get(parent.id) === parent;
      this.gate.pass(request.options.type, { isChild, origin: request.origin });
      const activity = createRunningActivity(request, parent, this.#factoryParts);
      this.running.add(activity);
      request.onCreated?.(activity);
      return activity;
    } catch (error) {
      request.onRefused?.(error);
      throw error;
    }
  }

  /** The activity around the call, if this application runs it and the call does not name another (or none). */
  #parentOf({ options, parent }: RunRequest): RunningActivity | undefined {
    if (parent) return parent;
    if (options.parentId !== undefined)
      return options.parentId === null ? undefined : this.running.get(options.parentId);
    const around = ambientActivity();
    return around && this.running.get(around.id) === around ? around : undefined;
  }

  #settled(activity: RunningActivity, result: CasResult): void {
    if (result.won) {
      this.#parts.events.emit('settled', activity.record);
      this.#parts.bus.publish({ kind: 'settled', activityId: activity.id }, { onlyIfWanted: true });
      return;
    }
    if (result.status === null) {
      this.#parts.logger.warn(`The row of activity ${activity.id} was deleted while it ran; its end is not recorded.`);
    } else {
      this.#parts.logger.debug(`Activity ${activity.id} had already ended as "${result.status}"; that stands.`);
      void this.#tellForeignEnd(activity.id);
    }
  }

  /** Somebody else settled it: those who listen here hear how. */
  async #tellForeignEnd(id: string): Promise<void> {
    const row = await this.#parts.store.get(id).catch(() => null);
    if (row) this.#parts.events.emit('settled', { snapshot: () => row });
  }
}
