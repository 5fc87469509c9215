import type { CheckedActivityOptions, StoreFailurePolicy } from '../config/activity.options.js';
import type { ActivitySettings } from '../config/activity-module.options.js';
import type { ActivityBus } from '../bus/activity-bus.js';
import { ActivityQueueTimeoutError, ActivityStoreError } from '../model/errors.js';
import { outcomeOf } from '../model/outcome.js';
import { isFinalStatus } from '../model/statuses.js';
import type { ActivityStore, CasResult } from '../storage/activity-store.js';
import type { ActivityEvents } from './activity-events.js';
import { withinTime } from './bounded-wait.js';
import type { ConcurrencyLimiter, LimiterPlace } from './concurrency-limiter.js';
import type { JoinedRun } from './joined-run.js';
import { KeyAdmission } from './key-admission.js';
import { aloneText } from './key-holder-facts.js';
import { whenAborted } from './linked-signal.js';
import { afterDelay } from './long-timeout.js';
import type { RunRequest } from './run-request.js';
import type { RunningActivity } from './running-activity.js';
import type { MissedStart, StoreWatch } from './store-watch.js';

export interface AdmissionParts {
  settings: ActivitySettings;
  store: ActivityStore;
  bus: ActivityBus;
  limiter: ConcurrencyLimiter;
  events: ActivityEvents;
  watch: StoreWatch;
  logger: { warn(text: string): void; log(text: string): void };
}

/** Who waits for an activity to be admitted. Neither throws. */
export interface AdmissionCaller {
  /** @param joined  the other activity that stands for the call. */
  admitted(joined: JoinedRun | undefined): void;
  refused(error: unknown): void;
}

interface AdmissionCall {
  activity: RunningActivity;
  request: RunRequest;
  caller: AdmissionCaller;
}

/** What happens before a body may be called: the start is recorded, a slot is waited for, a cancel is heeded. */
export class Admission {
  readonly #keys: KeyAdmission;

  constructor(private readonly parts: AdmissionParts) {
    this.#keys = new KeyAdmission(parts);
  }

  /**
   * Tells the caller when the body may be called; otherwise the activity has been settled and released, and `onRefused` has
   * heard of it. With a joined run, another activity stands for the call: nothing is written of this one. Refused by
   * {ActivityQueueTimeoutError} no slot came in time; {ActivityStoreError} the start could not be recorded and the policy
   * is `reject`; the signal's reason when the activity was aborted before its body.
   */
  admit(activity: RunningActivity, request: RunRequest, caller: AdmissionCaller): void {
    const { options } = request;
    const call = { activity, request, caller };
    if (!hasKeys(options) && !options.limit && !activity.aborted) return this.#startAtOnce(call);
    this.#startInTurn(activity, request).then(
      (joined) => this.#admitted(call, joined),
      (error: unknown) => this.#refused(call, error),
    );
  }

  /** It has nothing to wait for but its row. */
  #startAtOnce(call: AdmissionCall): void {
    const { activity, request } = call;
    try {
      this.parts.watch.recorded(activity.record.begin('running'), activity.record, (missed) => {
        let waiting: Promise<void> | undefined;
        try {
          if (missed) this.#refuseUnrecorded(activity, missed, request.options.onStoreFailure);
          this.#recorded(activity, request, 'started');
          waiting = this.#whenNotCancelled(activity);
        } catch (error) {
          return this.#refused(call, error);
        }
        if (!waiting) return this.#admitted(call);
        waiting.then(
          () => this.#admitted(call),
          (error: unknown) => this.#refused(call, error),
        );
      });
    } catch (error) {
      this.#refused(call, error);
    }
  }

  async #startInTurn(activity: RunningActivity, request: RunRequest): Promise<JoinedRun | undefined> {
    const { options } = request;
    if (hasKeys(options)) {
      const joined = await this.#startWithKeys(activity, request);
      if (joined) {
        request.onJoined?.(joined);
        return joined;
      }
    } else {
      const place = this.#enterLimit(activity, options);
      const startsAtOnce = (place?.granted ?? true) && !activity.aborted;
      await this.#record(activity, startsAtOnce ? 'running' : 'queued', options.onStoreFailure);
      this.#recorded(activity, request, startsAtOnce ? 'started' : 'queued');
      if (place && !startsAtOnce && !activity.aborted) await this.#waitForSlot(activity, place, options);
    }
    await this.#whenNotCancelled(activity);
    return undefined;
  }

  #admitted({ activity, caller }: AdmissionCall, joined?: JoinedRun): void {
    if (!joined) activity.startDeadline();
    caller.admitted(joined);
  }

  #refused({ activity, request, caller }: AdmissionCall, error: unknown): void {
    activity.release();
    request.onRefused?.(error);
    caller.refused(error);
  }

  /** Undefined where nothing keeps the body from being called. @throws the signal's reason. */
  #whenNotCancelled(activity: RunningActivity): Promise<void> | undefined {
    const pending = activity.whenNoCancelIsPending();
    if (pending) return pending.then(() => (activity.aborted ? refuseAborted(activity) : undefined));
    return activity.aborted ? refuseAborted(activity) : undefined;
  }

  /** The key first, then the slot: nobody holds a slot while it waits for a key. */
  async #startWithKeys(activity: RunningActivity, request: RunRequest): Promise<JoinedRun | undefined> {
    const { options } = request;
    const start = await this.#keys.enter({ activity, request });
    if ('outcome' in start) return start;
    const { status } = start;
    // One whose keys were asked for has had its time already.
    if (!start.recorded) await this.#record(activity, status, options.onStoreFailure, !start.alone);
    if (start.alone) activity.record.message('warn', aloneText(keyOf(options)), 'activity');
    this.#recorded(activity, request, status === 'running' ? 'started' : 'queued');
    const queueTimeout = options.queueTimeout ?? this.parts.settings.queueTimeout;
    const giveUpAt = queueTimeout === undefined ? undefined : performance.now() + queueTimeout;
    if (start.wait && !activity.aborted) await this.#waitForKey(activity, start.wait, options);
    if (status === 'queued' && !activity.aborted) {
      const place = this.#enterLimit(activity, options);
      const left = giveUpAt === undefined ? undefined : Math.max(0, giveUpAt - performance.now());
      if (place && !place.granted) await this.#waitForSlot(activity, place, options, left);
      else await this.#start(activity);
    }
    return undefined;
  }

  /** What was noted before the start has what functions of the application have thrown: no caller's to read. */
  #recorded(activity: RunningActivity, { notes, onRecorded }: RunRequest, event: 'started' | 'queued'): void {
    onRecorded?.(activity);
    for (const note of notes ?? []) activity.record.privateMessage('warn', note);
    this.parts.events.emit(event, activity.record);
  }

  async #waitForKey(
    activity: RunningActivity,
    wait: (signal: AbortSignal) => Promise<void>,
    options: CheckedActivityOptions,
  ): Promise<void> {
    const queueTimeout = options.queueTimeout ?? this.parts.settings.queueTimeout;
    const enough = new AbortController();
    const stopListening = whenAborted(activity.signal, () => enough.abort());
    try {
      const whenHeld = wait(enough.signal).then(() => true);
      if (queueTimeout === undefined || (await withinTime(whenHeld, queueTimeout, false))) return void (await whenHeld);
      const error = new ActivityQueueTimeoutError(activity.id, queueTimeout, options.exclusive!.key, {
        waitedFor: 'exclusive',
      });
      await activity.refuse({ status: 'failed', reason: 'queue_timeout' }, error);
      throw error;
    } catch (error) {
      await activity.refuse({ status: 'failed', reason: 'error' }, error);
      throw error;
    } finally {
      stopListening();
      enough.abort();
    }
  }

  #enterLimit(activity: RunningActivity, { limit }: CheckedActivityOptions): LimiterPlace | undefined {
    if (!limit) return undefined;
    const { id, ancestorIds, record } = activity;
    const place = this.parts.limiter.enter({ ...limit, scope: record.identity.scope, activityId: id, ancestorIds });
    activity.hold(place);
    return place;
  }

  async #record(
    activity: RunningActivity,
    status: 'running' | 'queued',
    policy: StoreFailurePolicy | undefined,
    patient = true,
  ): Promise<void> {
    const missed = await new Promise<MissedStart | undefined>((resolve) =>
      this.parts.watch.recorded(activity.record.begin(status), activity.record, resolve, patient),
    );
    if (missed) this.#refuseUnrecorded(activity, missed, policy);
  }

  /** @throws {ActivityStoreError} where the policy is to refuse it. */
  #refuseUnrecorded(
    activity: RunningActivity,
    missed: MissedStart,
    policy: StoreFailurePolicy = this.parts.settings.onStoreFailure,
  ): void {
    if (policy === 'run') return;
    const error = new ActivityStoreError(
      `Activity ${activity.id} was not started, since it could not be recorded: ${missed.why}.`,
      { cause: missed.cause },
    );
    // Not awaited: the store is away. Should the row land later, it lands with its end.
    void activity.refuse({ status: 'failed', reason: 'error' }, error);
    throw error;
  }

  async #waitForSlot(
    activity: RunningActivity,
    place: LimiterPlace,
    options: CheckedActivityOptions,
    timeLeft = options.queueTimeout ?? this.parts.settings.queueTimeout,
  ): Promise<void> {
    const { key, max } = options.limit!;
    const queueTimeout = options.queueTimeout ?? this.parts.settings.queueTimeout;
    activity.record.message(
      'info',
      `Waiting for a slot of "${key}": ${max} at once, place ${place.position()} in line.`,
      'activity',
    );
    const end = await firstOf(activity.signal, place, timeLeft);
    if (end === 'late') {
      const error = new ActivityQueueTimeoutError(activity.id, queueTimeout!, key);
      await activity.refuse({ status: 'failed', reason: 'queue_timeout' }, error);
      throw error;
    }
    if (end === 'granted' && !activity.aborted) await this.#start(activity);
  }

  async #start(activity: RunningActivity): Promise<void> {
    const granted: CasResult = await withinTime(activity.record.grant(), this.parts.watch.patience, {
      won: true,
    });
    if (granted.won) return this.parts.events.emit('started', activity.record);
    // Someone else was first. A row that is gone was deleted by hand: the work was asked for, so it runs.
    if (granted.status === null || !isFinalStatus(granted.status)) return;
    const row = await this.parts.store.get(activity.id).catch(() => null);
    activity.takeOver(row ?? { status: granted.status, reason: null, cancel: null });
  }
}

/** Asked with each call: those without keys go their way. */
export function hasKeys({ exclusive, idempotencyKey }: CheckedActivityOptions): boolean {
  return (exclusive !== undefined && exclusive !== null) || (idempotencyKey !== undefined && idempotencyKey !== null);
}

function keyOf({ exclusive, idempotencyKey }: CheckedActivityOptions): string {
  return exclusive?.key ?? idempotencyKey ?? '';
}

/** @throws the signal's reason. */
async function refuseAborted(activity: RunningActivity): Promise<never> {
  const error: unknown = activity.signal.reason;
  if (!activity.settled) await activity.refuse(outcomeOf({ ok: false, error }, activity), error);
  throw error;
}

function firstOf(
  signal: AbortSignal,
  place: LimiterPlace,
  timeout: number | undefined,
): Promise<'granted' | 'aborted' | 'late'> {
  return new Promise((resolve) => {
    const stopTimer = timeout === undefined ? () => undefined : afterDelay(timeout, () => end('late'));
    const stopListening = whenAborted(signal, () => queueMicrotask(() => end('aborted')));
    void place.whenGranted.then(() => end('granted'));
    function end(how: 'granted' | 'aborted' | 'late'): void {
      stopTimer();
      stopListening();
      resolve(how);
    }
  });
}
