import { afterDelay } from '../execution/long-timeout.js';
import type { ActivityRunner } from '../execution/activity-runner.js';
import type { RunningActivity } from '../execution/running-activity.js';
import { ActivityShutdownError } from '../model/cancellation.js';

/** How long aborted work may take to clean up before its row is settled without it. */
const CLEAN_UP_MS = 2_000;

export interface ShutdownLogger {
  log(text: string): void;
  warn(text: string): void;
}

/**
 * Ends what runs when the application stops. All are told (`activity.shutdown`), and each may go on for its
 * `shutdownGrace`, with what it starts for that; then its signal aborts with the reason `shutdown`, and what has not come
 * back within 2 s of that is settled as `interrupted` without it. What waits for a slot must not begin now, and is
 * interrupted at once.
 * @see Temporal's worker: `shutdownGraceTime`, then cancelled, then `shutdownForceTime`
 */
export class Shutdown {
  readonly #open = new Set<Promise<void>>();
  #begun: Promise<void> | undefined;
  #begunAt = 0;
  #interrupted = 0;

  constructor(
    private readonly runner: ActivityRunner,
    private readonly logger: ShutdownLogger,
  ) {}

  /** Resolves when all has ended, or is waited for no more. Repeated calls share one promise. */
  begin(): Promise<void> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  /** The application's own hooks have been called: ends what these have left behind. */
  async finish(): Promise<void> {
    await this.begin();
    this.runner.gate.admitOnly('nothing');
    for (const activity of this.runner.running.all()) if (!activity.forced) this.#abort(activity);
    await this.#whenEnded();
  }

  async #begin(): Promise<void> {
    const { gate, running } = this.runner;
    this.#begunAt = performance.now();
    gate.admitOnly('children');
    const { running: count } = running.counts();
    if (count > 0) this.logger.log(`Stopping: ${count} activities run, and may finish within their grace.`);
    running.onAdded((activity) => this.#end(activity, this.#graceLeft(activity)));
    for (const activity of running.all()) {
      this.#end(activity, isWaiting(activity) ? 0 : this.#graceLeft(activity));
    }
    await this.#whenEnded();
    // From here on there is no common grace: what a hook calls has its own, from its start.
    this.#begunAt = Infinity;
    gate.admitOnly('hooks');
    if (this.#interrupted > 0) this.logger.warn(`Stopping: ${this.#interrupted} activities were interrupted.`);
  }

  #end(activity: RunningActivity, graceMs: number): void {
    activity.noticeShutdown();
    const ended = this.#whenOver(activity, graceMs);
    this.#open.add(ended);
    void ended.then(() => this.#open.delete(ended));
  }

  #graceLeft({ shutdownGrace }: RunningActivity): number {
    const elapsed = Math.max(0, performance.now() - this.#begunAt);
    return Math.max(0, shutdownGrace - elapsed);
  }

  /** Resolves when the work has come back, or the row is settled without it. */
  #whenOver(activity: RunningActivity, graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const giveUp = afterDelay(graceMs, () => this.#abort(activity), { keepsAlive: true });
      const over = (): void => {
        giveUp();
        resolve();
      };
      activity.onRelease(over);
      activity.onForced(over);
    });
  }

  #abort(activity: RunningActivity): void {
    if (activity.abort(new ActivityShutdownError(activity.id))) this.#interrupted++;
    activity.onRelease(afterDelay(CLEAN_UP_MS, () => void activity.force(), { keepsAlive: true }));
  }

  async #whenEnded(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }
}

/** It has not begun. A child is waited for by its parent, though, and one that joined another by its own caller. */
function isWaiting({ record, ancestorIds, isJoinedHere }: RunningActivity): boolean {
  return record.status === 'queued' && ancestorIds.length === 0 && !isJoinedHere;
}
