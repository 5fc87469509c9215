import { setMaxListeners } from 'node:events';
import type { ActivityOptions } from '../config/activity.options.js';
import {
  ActivityDeadlineError,
  ActivityForcedError,
  ActivityParentCancelledError,
  cancellationOf,
  type ActivityCancelledError,
} from '../model/cancellation.js';
import type { Json, StoredError } from '../model/activity.js';
import { errorLine, toStoredError } from '../model/stored-error.js';
import { outcomeAfter, outcomeOf, type Completion, type Outcome, type OutcomeChoices } from '../model/outcome.js';
import { isFinalStatus } from '../model/statuses.js';
import type { CancelFact, CasResult, ForeignEnd, RequestReason } from '../storage/activity-store.js';
import type { ActivityContext } from './activity-context.js';
import type { ActivityRecord } from './activity-record.js';
import { cancellationAsked, cancellationOfEnd, factOf, isAsked, levelOf } from './cancel-fact.js';
import { createActivityContext } from './create-activity-context.js';
import { faithfulResult } from './kept-result.js';
import { whenAborted } from './linked-signal.js';
import { afterDelay } from './long-timeout.js';
import { ShutdownNotice } from './shutdown-notice.js';
import type { StoreWatch } from './store-watch.js';
import { WorkAbort } from './work-abort.js';

export interface RunningActivityOptions {
  timeout: number | undefined;
  cancelGrace: number;
  shutdownGrace: number;
  /** `faithfully`: it may have to stand for the real one, so a poorer form is not kept. */
  keepResult: boolean | 'faithfully';
  outcomes: OutcomeChoices | undefined;
  /** Says how long the work's caller waits for the end to be durable. */
  watch: StoreWatch;
}

/** Told to the runner, which owns what is shared: the registry, events and the log of the application. */
export interface RunningActivityListener {
  settled(activity: RunningActivity, result: CasResult): void;
  /** Its end was refused for good: its row still says that it runs. */
  unrecorded(activity: RunningActivity, error: unknown): void;
  /** It was running, and has been asked to stop. */
  cancelling(activity: RunningActivity): void;
  /** The row was settled without the body, which has ignored its signal. */
  abandoned(activity: RunningActivity): void;
  /** The body has ended. */
  released(activity: RunningActivity): void;
  /** Calls `work` with the activity around it. */
  within<T>(activity: RunningActivity, work: () => T): T;
  /** Runs `work` as a child of the activity. */
  runChild<T>(
    parent: RunningActivity,
    options: ActivityOptions,
    work: (activity: ActivityContext) => T | PromiseLike<T>,
  ): Promise<T>;
  debug(text: string): void;
  warn(text: string): void;
}

/** A slot, a key or a place in line. */
export interface Place {
  leave(): void;
}

/** What is kept of how the work came back. */
interface Ending {
  error?: StoredError | undefined;
  result?: Json | undefined;
}

const FORCED: Outcome = { status: 'cancelled', reason: 'forced' };
const NOT_FIRST: CasResult = { won: false, status: null };
const NEVER_ABORTED = new AbortController().signal;

/**
 * One activity that this process owns: its signal, its deadline, its slot and its one settlement. Two ends are told
 * apart: *settled*, when the row is final, and *ended*, when the body has come back; a body that ignores its signal is
 * settled after the grace without it, and keeps its slot until it has ended.
 */
export class RunningActivity {
  // Made when they are asked for: most work is short, says nothing of itself, holds nothing and is never stopped.
  #pendingCancels: Set<Promise<unknown>> | undefined;
  #releasers: (() => void)[] | undefined;
  #places: Place[] | undefined;
  #placesUntilSettled: Place[] | undefined;
  #madeContext: ActivityContext | undefined;
  #madeAbort: WorkAbort | undefined;
  #madeNotice: ShutdownNotice | undefined;
  #forcedListeners: ((reason: unknown) => void)[] | undefined;
  #settlement: Promise<CasResult> | undefined;
  /** The work has come back, and its clean-ups are waited for. */
  #ending = false;
  /** It has been told of, and waits for a critical section to end. */
  #heldBack: ActivityCancelledError | undefined;
  #forced = false;
  #ended = false;
  /** Another activity of this process stands for it: nothing is written of this one. */
  isJoinedHere = false;

  constructor(
    readonly record: ActivityRecord,
    /** Ids of the activities around this one, nearest first. */
    readonly ancestorIds: readonly string[],
    private readonly options: RunningActivityOptions,
    private readonly listener: RunningActivityListener,
  ) {}

  get id(): string {
    return this.record.identity.id;
  }

  get context(): ActivityContext {
    this.#madeContext ??= createActivityContext(this.record, {
      signal: () => this.signal,
      shutdown: () => this.shutdown,
      onCancel: (hook, budgetMs) => this.#abort.hooks.add(hook, budgetMs),
      uncancellable: (name, work) => this.#abort.sections.run(name, work),
      run: (childOptions, work) => this.listener.runChild(this, childOptions, work),
    });
    return this.#madeContext;
  }

  /** Whether the signal has aborted; asking does not make one. */
  get aborted(): boolean {
    return this.#madeAbort?.signal.aborted ?? false;
  }

  /** Calls `listener` with the signal's reason when the row is settled without the body; at once, if it has been. */
  onForced(listener: (reason: unknown) => void): void {
    if (this.#forced) listener(this.signal.reason);
    else if (this.#ended) return;
    else if (this.#forcedListeners) this.#forcedListeners.push(listener);
    else this.#forcedListeners = [listener];
  }

  /** What `work` gives; or the signal's reason, when the row is settled without the body. */
  untilForced<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.onForced(reject);
      work.then(resolve, reject);
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Aborts when the application is about to stop. */
  get shutdown(): AbortSignal {
    return this.#notice.signal;
  }

  get #notice(): ShutdownNotice {
    return (this.#madeNotice ??= new ShutdownNotice(this.id));
  }

  /** Tells its work that the application is about to stop; nothing else, once it has ended. */
  noticeShutdown(): void {
    if (!this.#ended) this.#notice.give();
  }

  /** How long its work may go on after that, in milliseconds. */
  get shutdownGrace(): number {
    return this.options.shutdownGrace;
  }

  /** Name of the critical section that an abort has to wait for, null for none. */
  get criticalSection(): string | null {
    return this.#madeAbort?.sections.current ?? null;
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

  /**
   * The slot, key or place in line that it gives back when its body has ended. `until: 'settled'`: also when the row was
   * settled without the body, as other processes see it.
   */
  hold(place: Place, { until = 'ended' }: { until?: 'ended' | 'settled' } = {}): void {
    if (until === 'ended') (this.#places ??= []).push(place);
    else (this.#placesUntilSettled ??= []).push(place);
  }

  /** Calls `release` when the body has ended; at once, if it has already. */
  onRelease(release: () => void): void {
    if (this.#ended) release();
    else this.#addReleaser(release);
  }

  /** Aborts with the reason `parent` when `signal` does. */
  follow(signal: AbortSignal): void {
    this.#addReleaser(whenAborted(signal, () => this.abort(new ActivityParentCancelledError(this.id, signal.reason))));
  }

  /**
   * The same for the activity around it. One that is not cancellable is spared what somebody asks of its parent, and what
   * a clean-up starts is spared the abort that it cleans up after.
   */
  followParent(parent: RunningActivity): void {
    if (parent.#madeAbort?.sections.isCleaningUp) return;
    this.#addReleaser(
      whenAborted(parent.signal, () => {
        const cancellation = new ActivityParentCancelledError(this.id, parent.signal.reason);
        if (this.record.identity.cancellable || !isAsked(cancellation)) this.abort(cancellation);
        else
          this.record.message('info', `${cancellation.message}; but it is not cancellable, and goes on.`, 'activity');
      }),
    );
  }

  /** A signal that aborts with the activity's, or with `parent`; it listens to neither once the body has ended. */
  deriveSignal(parent?: AbortSignal): AbortSignal {
    if (this.#ended) return this.signal;
    const derived = new AbortController();
    setMaxListeners(0, derived.signal);
    for (const signal of parent ? [this.signal, parent] : [this.signal]) {
      this.#addReleaser(whenAborted(signal, () => derived.abort(signal.reason)));
    }
    return derived.signal;
  }

  /** Starts the clock of `timeout`: from here on the body runs. */
  startDeadline(): void {
    const { timeout } = this.options;
    if (timeout === undefined) return;
    this.#addReleaser(afterDelay(timeout, () => this.abort(new ActivityDeadlineError(this.id, timeout))));
  }

  /** A cancel that is being written: the body is not called before its outcome is known. */
  expectCancel(write: Promise<unknown>): void {
    const pending = (this.#pendingCancels ??= new Set());
    const done = write.catch(() => undefined).finally(() => pending.delete(done));
    pending.add(done);
  }

  /** Undefined where none is. */
  whenNoCancelIsPending(): Promise<void> | undefined {
    const pending = this.#pendingCancels;
    return pending && pending.size > 0 ? whenEmpty(pending) : undefined;
  }

  /** Aborts the signal, once, and not before an open critical section has ended; the first reason stands. */
  abort(cancellation: ActivityCancelledError): boolean {
    return !this.settled && this.#abort.request(cancellation);
  }

  /** True once it is known here that somebody has asked it to stop. */
  get isAsked(): boolean {
    return this.record.cancel !== null;
  }

  /** Aborts for a cancel that stands on the row (or will, with the settlement). */
  cancel(fact: CancelFact, reason: RequestReason = 'user'): boolean {
    if (!this.settled && this.record.cancelling(fact)) this.listener.cancelling(this);
    return this.abort(cancellationAsked(this.id, fact, reason));
  }

  /**
   * Settles without the body, which has not ended; whoever waits for it gets the signal's reason.
   * @param request  of one who asks for it: also in the middle of a critical section, and whatever aborted it before. Left
   *   out, what aborted it decides.
   * @returns when the end is durable, whoever was first; undefined when there is none yet.
   */
  force(request?: CancelFact): Promise<CasResult> | undefined {
    if (this.#ended || this.#forced) return this.#settlement;
    if (request && !this.settled) this.#forcedBy(request);
    this.#abort.now();
    const cancellation = cancellationOf(this.signal);
    if (!cancellation) return this.#settlement;
    this.#forced = true;
    if (!this.settled) {
      const { status, reason } = request ? FORCED : this.#withoutItsWork(cancellation);
      const what = this.#ending ? 'clean-up has not ended' : 'work has not stopped';
      this.record.takeSources();
      this.record.message('warn', `The ${what} since; it may still be running.`, 'activity');
      void this.#settle({ status, reason }, {});
    }
    void this.#abandonOnce(this.#settlement!);
    this.#abort.hooks.leave(cancellation);
    const listeners = this.#forcedListeners ?? [];
    this.#forcedListeners = undefined;
    for (const tell of listeners) tell(cancellation);
    return this.#settlement;
  }

  /**
   * The row was ended by someone else, or belongs to another process now: takes that over, once, and writes nothing. Work
   * that runs is aborted, also in the middle of a critical section, and may clean up; one that was ended by force is left
   * at once.
   * @returns false when it had ended here before.
   */
  takeOver(end: ForeignEnd): boolean {
    if (this.settled) return false;
    const { status, reason, cancel } = end;
    const cancellation = cancellationOfEnd(this.id, end);
    const outcome: Outcome = isFinalStatus(status)
      ? { status, reason }
      : { status: 'interrupted', reason: 'owner_lost' };
    this.record.close(outcome, cancel);
    this.#settlement = Promise.resolve({ won: true });
    this.#abort.now(cancellation);
    this.listener.settled(this, { won: true });
    // Others have its key now.
    this.#leavePlacesUntilSettled();
    if (reason === 'forced') void this.force();
    return true;
  }

  /**
   * The body has come back: settles (if nothing has before), waits until that is durable, but not longer than the store is
   * given, and gives the slot back. Never rejects: the caller gets the body's own value or error.
   */
  finish(completion: Completion): Promise<void> {
    return new Promise((resolve) => {
      this.settleWith(completion, () => {
        this.release();
        resolve();
      });
    });
  }

  /** The same but for the release: `ended` is called when it is durable, when that has taken too long, or at once. */
  settleWith(completion: Completion, ended: () => void): void {
    if (this.settled) {
      this.listener.debug(`Activity ${this.id} has ended before its work; what the work gave is not recorded.`);
      return ended();
    }
    const outcome = this.outcomeOf(completion);
    const error = completion.ok || outcome.status === 'succeeded' ? undefined : toStoredError(completion.error);
    this.#settleOnce(outcome, { error, result: this.#kept(completion) }, ended);
  }

  /** How it ends with this: as its reason says, or its type. */
  outcomeOf(completion: Completion): Outcome {
    const signal = this.#madeAbort?.signal ?? NEVER_ABORTED;
    const shutdown = this.#madeNotice?.signal ?? NEVER_ABORTED;
    return outcomeOf(completion, { signal, shutdown }, this.options.outcomes);
  }

  /** Settles, when the clean-ups of an aborted one have ended. @returns whether this was first. */
  settle(outcome: Outcome, what: Ending): Promise<boolean> {
    return new Promise((resolve) => {
      this.#settleOnce(outcome, what, (result) => resolve(result?.won ?? true));
    });
  }

  /** @param ended  gets undefined where nobody knows yet. */
  #settleOnce(outcome: Outcome, what: Ending, ended: (result: CasResult | undefined) => void): void {
    if (this.settled || this.#ending) return ended(NOT_FIRST);
    const cleanUps = this.#madeAbort?.hooks.whenDone();
    if (!cleanUps) return this.#settleInTime(outcome, what, ended);
    this.#ending = true;
    void cleanUps.then(() => (this.settled ? ended(NOT_FIRST) : this.#settleInTime(outcome, what, ended)));
  }

  #settleInTime(outcome: Outcome, what: Ending, ended: (result: CasResult | undefined) => void): void {
    this.record.takeSources();
    if (what.error && outcome.reason === 'error') this.#tellOf(what.error);
    const wait = this.options.watch.wait(() => ended(undefined));
    void this.#settle(outcome, what, (result) => {
      if (wait.end()) ended(result);
    });
  }

  #tellOf(error: StoredError): void {
    if (error.public) this.record.message('error', errorLine(error), 'activity');
    else this.record.privateMessage('error', errorLine(error));
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
    this.#madeAbort?.hooks.close();
    this.#forcedListeners = undefined;
    const releasers = this.#releasers ?? [];
    this.#releasers = undefined;
    for (const release of releasers) release();
    const places = this.#places ?? [];
    this.#places = undefined;
    for (const place of places) place.leave();
    this.#leavePlacesUntilSettled();
    this.listener.released(this);
  }

  #leavePlacesUntilSettled(): void {
    const places = this.#placesUntilSettled ?? [];
    this.#placesUntilSettled = undefined;
    for (const place of places) place.leave();
  }

  #addReleaser(release: () => void): void {
    if (this.#releasers) this.#releasers.push(release);
    else this.#releasers = [release];
  }

  get #abort(): WorkAbort {
    if (this.#madeAbort) return this.#madeAbort;
    this.#madeAbort = new WorkAbort({
      aborting: (cancellation) => this.#aborting(cancellation),
      held: (cancellation, section) => this.#held(cancellation, section),
      section: (name) => this.record.criticalSection(name),
      hasEnded: () => this.#ended || this.#ending || (this.settled && !this.#forced),
      within: (work) => this.listener.within(this, work),
      warn: (text) => this.record.message('warn', text, 'activity'),
    });
    if (this.#ended) this.#madeAbort.hooks.close();
    return this.#madeAbort;
  }

  /** The signal is about to abort: from here on the work has its grace. */
  #aborting(cancellation: ActivityCancelledError): void {
    if (!this.settled && cancellation !== this.#heldBack) {
      this.record.message(levelOf(cancellation), cancellation.message, 'activity');
      this.#markCancelling(cancellation);
    }
    this.record.stopSources();
    this.#addReleaser(afterDelay(this.options.cancelGrace, () => void this.#graceIsOver()));
  }

  #held(cancellation: ActivityCancelledError, section: string): void {
    this.#heldBack = cancellation;
    this.record.message(levelOf(cancellation), cancellation.message, 'activity');
    this.record.message('info', `It finishes a critical step first: ${section}.`, 'activity');
    this.#markCancelling(cancellation);
    void this.record.flush();
  }

  #markCancelling(cancellation: ActivityCancelledError): void {
    if (this.record.writeCancelling(factOf(cancellation))) this.listener.cancelling(this);
  }

  #withoutItsWork({ abortReason }: ActivityCancelledError): Outcome {
    const outcome = outcomeAfter(abortReason, this.options.outcomes);
    // Nobody knows whether it has come to its end: that is no success, and a cancel that was not heeded says so.
    return outcome.status === 'succeeded' || outcome.status === 'cancelled' ? FORCED : outcome;
  }

  #forcedBy(request: CancelFact): void {
    const forced = new ActivityForcedError(this.id, request);
    this.record.cancelling(request);
    if (this.signal.aborted) this.record.message('info', forced.message, 'activity');
    else this.#abort.request(forced);
  }

  /** Clean-ups have budgets of their own, which may be longer than the grace of the work. */
  async #graceIsOver(): Promise<void> {
    await this.#abort.hooks.whenDone();
    void this.force();
  }

  async #abandonOnce(settled: Promise<unknown>): Promise<void> {
    await settled;
    this.#leavePlacesUntilSettled();
    this.listener.abandoned(this);
  }

  #settle(outcome: Outcome, what: Ending, durable?: (result: CasResult) => void): Promise<CasResult> {
    this.#settlement = this.record.settle(outcome, what).then(
      (result) => {
        this.listener.settled(this, result);
        durable?.(result);
        return result;
      },
      (error: unknown) => {
        this.listener.unrecorded(this, error);
        durable?.(NOT_FIRST);
        return NOT_FIRST;
      },
    );
    return this.#settlement;
  }

  #kept(completion: Completion): Json | undefined {
    if (!this.options.keepResult || !completion.ok) return undefined;
    if (this.options.keepResult === 'faithfully') return this.#faithful(completion.value);
    return completion.value === undefined ? null : (completion.value as Json);
  }

  #faithful(value: unknown): Json | undefined {
    const kept = faithfulResult(value);
    if ('result' in kept && !this.record.isMasked(kept.result)) return kept.result;
    const why = 'why' in kept ? kept.why : 'it has secrets, which would be masked';
    this.record.message('warn', `The result is not kept, since ${why}; a repeated call will be told so.`, 'activity');
    return undefined;
  }
}

async function whenEmpty(pending: ReadonlySet<Promise<unknown>>): Promise<void> {
  while (pending.size > 0) await Promise.all(pending);
}
