// Not the globals: an app's test that fakes timers must not stop its tracker.
import { clearInterval, setInterval } from 'node:timers';
import type { Retention } from '../config/retention.options.js';
import { afterDelay } from '../execution/long-timeout.js';
import { errorText } from '../model/stored-error.js';
import type { ActivityStore, PruneRequest } from '../storage/activity-store.js';

/** No timer of Node is longer than 24 days, and no prune is. */
const KEEP_AT_LEAST_EVERY_MS = 3_600_000;

/** What a look of now is to delete. */
export function pruneRequest({ rules, minAge }: Retention, { dryRun = false } = {}): PruneRequest {
  return { rules, minAge, now: new Date(), dryRun };
}

/**
 * Deletes old activities from time to time. Each process has a timer; the database says, by its own clock, whether it is
 * time, to one process only.
 */
export class RetentionTimer {
  readonly #stopping = new AbortController();
  #stopTimer: () => void = () => undefined;
  #look: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly retention: Retention | false,
    private readonly store: ActivityStore,
    private readonly logger: { debug(text: string): void; warn(text: string): void },
  ) {}

  start(): void {
    if (!this.retention || this.retention.every === undefined) return;
    const { every } = this.retention;
    this.#stopTimer = afterDelay(every, () => {
      this.#look = this.look().finally(() => {
        if (!this.#stopping.signal.aborted) this.start();
      });
    });
  }

  /** Looks now, if it is this process's turn, which it keeps until it is done. Never rejects. @returns whether it was. */
  async look(): Promise<boolean> {
    if (!this.retention || this.retention.every === undefined) return false;
    const { every } = this.retention;
    try {
      if (!(await this.store.claimChore('prune', every))) return false;
      // Where that fails, another process may begin as well: what both find is deleted once.
      const keep = () => void this.store.keepChore('prune', every).catch(() => undefined);
      const keeping = setInterval(keep, Math.min(every / 3, KEEP_AT_LEAST_EVERY_MS)).unref();
      const { activities, messages } = await this.store
        .prune(pruneRequest(this.retention), this.#stopping.signal)
        .finally(() => clearInterval(keeping));
      if (activities > 0) this.logger.debug(`Retention: ${activities} activities with ${messages} lines are deleted.`);
      return true;
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.logger.warn(`Old activities could not be deleted: ${errorText(error)}`);
      return false;
    }
  }

  /** Resolves when the step at hand is done. */
  async stop(): Promise<void> {
    this.#stopTimer();
    this.#stopping.abort();
    await this.#look;
  }
}
