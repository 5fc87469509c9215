// Not the global: an app's test that fakes timers is no stall.
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningActivities } from '../execution/running-activities.js';

/** Of a lease: how long a stall is told, and how often is looked. */
const TOLD = 1 / 3;
const LOOK = 1 / 30;

export interface StallWatchParts {
  running: Pick<RunningActivities, 'all'>;
  leaseMs: number;
  logger: { warn(text: string): void };
}

/**
 * Notices that nothing has run in this process for a while: its event loop was blocked, it was stopped, or it got no time
 * of the machine. By a timer that fires late, measured by a clock that nobody sets; it says so in the log of the
 * application and of all that runs.
 */
export class StallWatch {
  readonly #parts: StallWatchParts;
  readonly #stopping = new AbortController();

  constructor(parts: StallWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Tells of a timer that has come so late, if it is worth it. */
  late(lateMs: number): void {
    const { running, leaseMs, logger } = this.#parts;
    if (lateMs < leaseMs * TOLD) return;
    const stalled = `The process was stalled for ${seconds(lateMs)}`;
    logger.warn(
      `${stalled}: nothing ran in it meanwhile. Work that computes for long belongs in a worker thread, or in pieces with ` +
        '`await activity.sleep(0)` between them; a process that is stopped, or gets no time of its machine, looks the same. ' +
        `One that is silent for longer than its lease of ${seconds(leaseMs)} is taken to be dead.`,
    );
    for (const { record, settled } of running.all()) {
      if (!settled && record.status !== 'queued') record.message('warn', `${stalled}.`, 'activity');
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const everyMs = this.#parts.leaseMs * LOOK;
    while (!signal.aborted) {
      const begun = performance.now();
      await delay(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) this.late(performance.now() - begun - everyMs);
    }
  }
}

function seconds(ms: number): string {
  return `${ms < 10_000 ? Number((ms / 1_000).toFixed(1)) : Math.round(ms / 1_000)} s`;
}
