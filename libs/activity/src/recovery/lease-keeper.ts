// Not the global: an app's test that fakes timers must not let its tracker look dead.
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningActivities } from '../execution/running-activities.js';
import type { RunningActivity } from '../execution/running-activity.js';
import { errorText } from '../model/stored-error.js';
import type { ActivityStore } from '../storage/activity-store.js';

/** Of a lease. */
const RENEWAL = 1 / 3;
/** Of a lease: soon enough that the end of an outage leaves time for several attempts before anybody is taken for dead. */
const RETRY = 1 / 30;

const LEAST_POLLS = 3;

export interface LeaseKeeperParts {
  store: Pick<ActivityStore, 'renewLease' | 'lostAmong'>;
  running: Pick<RunningActivities, 'all'>;
  leaseMs: number;
  /** How often it is asked what other processes have asked for: the option `cancelPoll`. */
  pollMs: number;
  logger: { debug(text: string): void; warn(text: string): void };
}

/**
 * Keeps the lease of this process: one statement every third of it for all that runs, never two at once, until the last
 * activity has been settled. Where others have ended activities of it, because they had not heard of it for a whole lease,
 * their work is aborted here. While the database is away nothing is aborted: nobody can have taken anything then.
 */
export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts;
  readonly #stopping = new AbortController();
  /** Activities may have been taken, and it is not known yet which. */
  #isInDoubt = false;
  #isAway = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts;
  }

  /** Says so where the lease is too short for what other processes ask to be heard within it. */
  start(): void {
    const { leaseMs, pollMs, logger } = this.#parts;
    if (leaseMs < LEAST_POLLS * pollMs) {
      logger.warn(
        `The option \`lease\` is ${leaseMs} ms, which is less than three polls: set it to at least ` +
          `${LEAST_POLLS * pollMs} ms, or \`cancelPoll\` to at most ${Math.floor(leaseMs / LEAST_POLLS)} ms.`,
      );
    }
    this.#loop = this.#run();
  }

  /** Renews now, and aborts what has been lost. Never rejects. @returns whether the lease is known to be its own. */
  async beat(): Promise<boolean> {
    const { store, logger } = this.#parts;
    try {
      if ((await store.renewLease()) === 'taken') this.#isInDoubt = true;
      if (this.#isInDoubt) await this.#abortLost();
      this.#isInDoubt = false;
      this.#isAway = false;
      return true;
    } catch (error) {
      if (!this.#isAway && !this.#stopping.signal.aborted) {
        logger.debug(`The lease of this process could not be renewed, and is tried again: ${errorText(error)}`);
      }
      this.#isAway = true;
      return false;
    }
  }

  /** Resolves when the renewal at hand is done. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { leaseMs } = this.#parts;
    const { signal } = this.#stopping;
    for (let waitMs = leaseMs * RENEWAL; ;) {
      await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const begun = performance.now();
      const isKept = await this.beat();
      waitMs = leaseMs * (isKept ? RENEWAL : RETRY) - (performance.now() - begun);
    }
  }

  async #abortLost(): Promise<void> {
    const { store, running, leaseMs, logger } = this.#parts;
    const owned = new Map<string, RunningActivity>();
    for (const activity of running.all()) if (!activity.settled) owned.set(activity.id, activity);
    const lost = await store.lostAmong([...owned.values()].map(({ id, record }) => ({ id, ...record.owner })));
    let count = 0;
    for (const change of lost) if (owned.get(change.id)?.takeOver(change)) count++;
    if (count === 0) return;
    logger.warn(
      `Nothing was heard of this process for longer than its lease of ${leaseMs / 1_000} s, so it was taken to be dead: ` +
        `${count} of its activities have been interrupted, and their work is aborted now. Was its event loop blocked, ` +
        'was it stopped, or cut off from the database?',
    );
  }
}
