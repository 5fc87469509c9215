import { isPromise } from '../model/maybe-promise.js';
import type { AdmissionCaller } from './admission.js';
import { followResult } from './follow-result.js';
import type { JoinedRun } from './joined-run.js';
import type { RunRequest } from './run-request.js';
import type { RunningActivity } from './running-activity.js';
import { startWork, type Work } from './start-work.js';

/** Gets what the work comes to, untouched: the executor's of a promise. */
export interface RunCaller<T> {
  resolve(value: T | PromiseLike<T>): void;
  reject(error: unknown): void;
}

/**
 * One run of some work as an activity, from its admission on: its body is called, and settled with what it comes to. By
 * callbacks, each of which goes on where the caller's promise of the last step would: a run waits for its row twice and for
 * its body once, and each `await` would cost as much as all that is done in between.
 */
export class ActivityRun<T> implements AdmissionCaller {
  /** The body has come back. */
  #isBack = false;

  constructor(
    private readonly activity: RunningActivity,
    private readonly request: RunRequest,
    private readonly work: Work<T>,
    private readonly caller: RunCaller<T>,
  ) {}

  admitted(joined: JoinedRun | undefined): void {
    if (joined) this.caller.resolve(this.#outcomeOf(joined));
    else this.#start();
  }

  refused(error: unknown): void {
    this.caller.reject(error);
  }

  #start(): void {
    let work;
    try {
      work = startWork(this.activity, this.work);
    } catch (error) {
      return this.#threw(error);
    }
    if (!isPromise(work)) return this.#returned(work);
    // Settled without the body: nobody waits for it any more.
    this.activity.onForced((reason) => {
      if (!this.#isBack) this.caller.reject(reason);
    });
    work.then(
      (value) => this.#returned(value),
      (error: unknown) => this.#threw(error),
    );
  }

  #returned(value: T): void {
    this.#isBack = true;
    const { activity, caller } = this;
    try {
      const followed = activity.forced ? undefined : followResult(activity, value, this.request.answer);
      if (followed) return caller.resolve(followed.value as T);
      activity.settleWith({ ok: true, value }, () => {
        activity.release();
        caller.resolve(value);
      });
    } catch (error) {
      caller.reject(error);
    }
  }

  #threw(error: unknown): void {
    this.#isBack = true;
    const { activity, caller } = this;
    try {
      activity.settleWith({ ok: false, error }, () => {
        activity.release();
        caller.reject(error);
      });
    } catch {
      caller.reject(error);
    }
  }

  /** @throws what the other one ended with; as a refusal, since no body of this call has thrown it. */
  async #outcomeOf(joined: JoinedRun): Promise<T> {
    this.activity.isJoinedHere = joined.signal !== undefined;
    try {
      return (await joined.outcome(this.activity.signal)) as T;
    } catch (error) {
      this.request.onRefused?.(error);
      throw error;
    } finally {
      this.activity.release();
    }
  }
}
