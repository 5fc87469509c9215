import { setMaxListeners } from 'node:events';
import {
  ActivityCancelledError,
  ActivityDeadlineError,
  ActivityOwnerLostError,
  cancellationOf,
} from '../model/cancellation.js';
import type { Json, MessageLevel, StoredError } from '../model/activity.js';
import { errorLine, errorText, toStoredError } from '../model/stored-error.js';
import { outcomeOf, type Completion, type Outcome } from '../model/outcome.js';
import { statusAfterAbort } from '../model/reasons.js';
import type { FinalStatus } from '../model/statuses.js';
import type { CancelFact, CasResult } from '../storage/activity-store.js';
import type { ActivityContext } from './activity-context.js';
import type { ActivityRecord } from './activity-record.js';
import { withinTime } from './bounded-wait.js';
import type { LimiterPlace } from './concurrency-limiter.js';
import { createActivityContext } from './create-activity-context.js';
import { whenAborted } from './linked-signal.js';
import { afterDelay } from './long-timeout.js';

export interface RunningActivityOptions {
  timeout?: number;
  cancelGrace: number;
  /** How long the work's caller waits for the end to be durable. */
  settleTimeout: number;
  keepResult: boolean;
}

/** Told to the runner, which owns what is shared: the registry, events and the log of the application. */
export interface RunningActivityListener {
  settled(activity: RunningActivity, result: CasResult): void;
  /** The row was settled without the body, which has ignored its signal. */
  abandoned(activity: RunningActivity): void;
  /** The body has ended. */
  released(activity: RunningActivity): void;
  debug(text: string): void;
  warn(text: string): void;
}

/**
 * One activity that this process owns: its signal, its deadline, its slot and its one settlement. Two ends are told
 * apart: *settled*, when the row is final, and *ended*, when the body has come back; a body that ignores its signal is
 * settled after the grace without it, and keeps its slot until it has ended.
 */
export class RunningActivity {
  readonly context: ActivityContext;
  /** Rejects with the signal's reason when the row was settled without the body. */
  readonly whenForced: Promise<never>;
  readonly #controller = new AbortController();
  readonly #pendingCancels = new Set<Promise<unknown>>();
  readonly #releasers: (() => void)[] = [];
  #rejectForced!: (reason: unknown) => void;
  #place: LimiterPlace | undefined;
  #settlement: Promise<CasResult> | undefined;
  #forced = false;
  #ended = false;

  constructor(
    readonly record: ActivityRecord,
    /** Ids of the activities around this one, nearest first. */
    readonly ancestorIds: readonly string[],
    private readonly options: RunningActivityOptions,
    private readonly listener: RunningActivityListener,
  ) {
    this.whenForced = new Promise<never>((_resolve, reject) => (this.#rejectForced = reject));
    this.whenForced.catch(() => undefined);
    // As many may listen as the work has parts: more than ten are no leak here.
    setMaxListeners(0, this.signal);
    this.context = createActivityContext(record, this.signal);
  }

  get id(): string {
    return this.record.identity.id;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** How long work may go on that nobody waits for any more, in milliseconds. */
  get grace(): number {
    return this.options.cancelGrace;
  }

  get settled(): boolean {
    return this.#settlement !== undefined;
  }

  /** True when the row was settled without the body, which has not come back. */
  get forced(): boolean {
    return this.#forced;
  }

  /** The slot or place in line that it gives back when its body has ended. */
  hold(place: LimiterPlace): void {
    this.#place = place;
  }

  /** Calls `release` when the body has ended; at once, if it has already. */
  onRelease(release: () => void): void {
    if (this.#ended) release();
    else this.#releasers.push(release);
  }

  /** Aborts with the reason `parent` when `signal` does. */
  follow(signal: AbortSignal): void {
    this.#releasers.push(
      whenAborted(signal, () => this.abort(new ActivityCancelledError('parent', this.id, cancellationOf(signal)))),
    );
  }

  /** A signal that aborts with the activity's, or with `parent`; it listens to neither once the body has ended. */
  deriveSignal(parent?: AbortSignal): AbortSignal {
    if (this.#ended) return this.signal;
    const derived = new AbortController();
    setMaxListeners(0, derived.signal);
    for (const signal of parent ? [this.signal, parent] : [this.signal]) {
      this.#releasers.push(whenAborted(signal, () => derived.abort(signal.reason)));
    }
    return derived.signal;
  }

  /** Starts the clock of `timeout`: from here on the body runs. */
  startDeadline(): void {
    const { timeout } = this.options;
    if (timeout === undefined) return;
    this.#releasers.push(afterDelay(timeout, () => this.abort(new ActivityDeadlineError(this.id, timeout))));
  }

  /** A cancel that is being written: the body is not called before its outcome is known. */
  expectCancel(write: Promise<unknown>): void {
    const done = write.catch(() => undefined).finally(() => this.#pendingCancels.delete(done));
    this.#pendingCancels.add(done);
  }

  async whenNoCancelIsPending(): Promise<void> {
    while (this.#pendingCancels.size > 0) await Promise.all(this.#pendingCancels);
  }

  /** Aborts the signal, once; the first reason stands. */
  abort(cancellation: ActivityCancelledError): boolean {
    if (this.signal.aborted || this.settled) return false;
    this.record.message(levelOf(cancellation), cancellation.message, 'activity');
    this.#controller.abort(cancellation);
    this.#releasers.push(afterDelay(this.options.cancelGrace, () => this.force()));
    return true;
  }

  /** Aborts for a cancel that stands on the row (or will, with the settlement). */
  cancel(fact: CancelFact): boolean {
    if (!this.settled) this.record.cancelling(fact);
    return this.abort(new ActivityCancelledError('user', this.id, fact));
  }

  /** Settles without the body, which has ignored its signal; whoever waits for it gets the signal's reason. */
  force(): void {
    const cancellation = cancellationOf(this.signal);
    if (!cancellation || this.#ended || this.#forced) return;
    this.#forced = true;
    if (!this.settled) {
      const status = statusAfterAbort(cancellation.abortReason);
      this.record.message('warn', 'The work has not stopped since; it may still be running.', 'activity');
      const settled = this.#settle(
        { status, reason: status === 'cancelled' ? 'forced' : cancellation.abortReason },
        {},
      );
      void settled.then(() => this.listener.abandoned(this));
    }
    this.#rejectForced(cancellation);
  }

  /** The row was settled by someone else while the activity waited: takes that over, once, and writes nothing. */
  takeOver(status: FinalStatus, fact: CancelFact | null): void {
    if (this.settled) return;
    const cancellation =
      status === 'cancelled'
        ? new ActivityCancelledError('user', this.id, fact ?? {})
        : new ActivityOwnerLostError(this.id);
    this.record.close({ status, reason: cancellation.abortReason }, fact);
    this.#settlement = Promise.resolve({ won: true });
    this.#controller.abort(cancellation);
    this.listener.settled(this, { won: true });
  }

  /**
   * The body has come back: settles (if nothing has before), waits until that is durable, but not longer than
   * `settleTimeout`, and gives the slot back. Never rejects: the caller gets the body's own value or error.
   */
  async finish(completion: Completion): Promise<void> {
    if (this.settled) {
      this.listener.debug(`Activity ${this.id} has ended before its work; what the work gave is not recorded.`);
    } else {
      const outcome = outcomeOf(completion, this.signal);
      const error = completion.ok ? undefined : toStoredError(completion.error);
      await this.settle(outcome, { error, result: this.#kept(completion) });
    }
    this.release();
  }

  /** Settles by hand. @returns whether this was first. */
  async settle(outcome: Outcome, what: { error?: StoredError; result?: Json }): Promise<boolean> {
    if (this.settled) return false;
    if (what.error && outcome.reason === 'error') this.record.message('error', errorLine(what.error), 'activity');
    const result = await withinTime(this.#settle(outcome, what), this.options.settleTimeout, undefined);
    return result?.won ?? true;
  }

  /** Fails it without the body having run. */
  async refuse(outcome: Outcome, error: unknown): Promise<void> {
    await this.settle(outcome, { error: toStoredError(error) });
    this.release();
  }

  /** The body has ended, or never ran: gives back what it holds. Calling it twice is harmless. */
  release(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const release of this.#releasers.splice(0)) release();
    this.#place?.leave();
    this.listener.released(this);
  }

  #settle(outcome: Outcome, what: { error?: StoredError; result?: Json }): Promise<CasResult> {
    this.#settlement = this.record.settle(outcome, what).then(
      (result) => {
        this.listener.settled(this, result);
        return result;
      },
      (error: unknown) => {
        this.listener.warn(`The end of activity ${this.id} could not be recorded: ${errorText(error)}`);
        return { won: false, status: null };
      },
    );
    return this.#settlement;
  }

  #kept(completion: Completion): Json | undefined {
    if (!this.options.keepResult || !completion.ok) return undefined;
    return completion.value === undefined ? null : (completion.value as Json);
  }
}

function levelOf(cancellation: ActivityCancelledError): MessageLevel {
  // A cancel is no trouble: as a warning it would look like one of the work's own.
  return statusAfterAbort(cancellation.abortReason) === 'failed' ? 'error' : 'info';
}
