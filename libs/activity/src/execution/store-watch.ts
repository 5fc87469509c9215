import { AsyncResource } from 'node:async_hooks';
import { errorText } from '../model/stored-error.js';
import { afterDelay } from './long-timeout.js';
import { SharedDeadline, type Wait } from './shared-deadline.js';

/** Why a start has not been recorded. */
export interface MissedStart {
  why: string;
  cause?: unknown;
}

/** The activity whose start is written. */
export interface StartedRecord {
  readonly type: string;
  /** Its first row was refused for good; also told when nobody waits for it any more. */
  refused(): void;
}

/**
 * What the calls of this process know of the store. A start that was not recorded within `startTimeout` says that the
 * store is away (or the store knows it by its errors); from then on nobody waits for it, until something that was asked of
 * it meanwhile has landed.
 */
export class StoreWatch {
  readonly #deadline: SharedDeadline;
  #isAway = false;
  #isRefusing = false;

  constructor(
    private readonly startTimeout: number,
    private readonly store: { readonly isAway: boolean },
    private readonly logger: { warn(text: string): void; log(text: string): void },
  ) {
    this.#deadline = new SharedDeadline(startTimeout);
  }

  /** How long the work waits for a write, in milliseconds. */
  get patience(): number {
    return this.#isAway || this.store.isAway ? 0 : this.startTimeout;
  }

  /**
   * Waits for the first row of an activity.
   * @param onKnown  told once, in the async context of this call: undefined when it is durable; else what keeps it.
   * @param patient  false: it has had its time already.
   */
  recorded(
    start: Promise<unknown>,
    record: StartedRecord,
    onKnown: (missed: MissedStart | undefined) => void,
    patient = true,
  ): void {
    const context = new AsyncResource('ActivityStart');
    const onLate = (): void => context.runInAsyncScope(onKnown, undefined, this.#late(record.type));
    const wait = patient ? this.wait(onLate) : waitNoLonger(onLate);
    start.then(
      () => {
        this.#isBack();
        return wait.end() ? onKnown(undefined) : undefined;
      },
      (cause: unknown) => {
        record.refused();
        if (wait.end()) onKnown(this.#refused(cause, record.type));
      },
    );
  }

  /** Until something is durable, or the work is to wait for it no longer. */
  wait(onLate: () => void): Wait {
    return this.patience > 0 ? this.#deadline.wait(onLate) : waitNoLonger(onLate);
  }

  #late(type: string): MissedStart {
    const why = `the database did not answer within ${this.startTimeout} ms`;
    if (!this.#isAway && !this.#isRefusing) this.#warn(why, type);
    this.#isAway = true;
    return { why };
  }

  #refused(cause: unknown, type: string): MissedStart {
    const why = errorText(cause);
    if (!this.#isRefusing && !this.#isAway) this.#warn(why, type);
    this.#isRefusing = true;
    return { why, cause };
  }

  /** One warning for each outage, not for each call. */
  #warn(why: string, type: string): void {
    this.logger.warn(
      `Activities cannot be recorded: ${why}. The work runs all the same (first: "${type}"), ` +
        "and its record is written when the database is back; `onStoreFailure: 'reject'` would refuse it.",
    );
  }

  #isBack(): void {
    if (!this.#isAway && !this.#isRefusing) return;
    // It catches up: what comes now still waits long, and is not told anew with each row that lands.
    if (this.store.isAway) return;
    this.#isAway = false;
    this.#isRefusing = false;
    this.logger.log('Activities are recorded again.');
  }
}

/** What is there already is taken, and nothing else. */
function waitNoLonger(onLate: () => void): Wait {
  let isOver = false;
  const giveUp = afterDelay(0, () => {
    isOver = true;
    onLate();
  });
  return {
    end: () => {
      giveUp();
      return !isOver;
    },
  };
}
