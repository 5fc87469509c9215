// Not the global: an app's test that fakes timers must not keep its tracker from looking.
import { setTimeout as delay } from 'node:timers/promises';
import type { ActivityBus } from '../bus/activity-bus.js';
import type { ActivityEvents } from '../execution/activity-events.js';
import type { ActivityOwner } from '../model/owner.js';
import { errorText } from '../model/stored-error.js';
import type { ActivityStore } from '../storage/activity-store.js';

/** Of a lease: how often is looked at least, and at most. */
const SELDOM = 1 / 3;
const OFTEN = 1 / 30;
/** So that the processes do not all look at the same moment. */
const MOST_JITTER_MS = 1_000;

export interface OwnerSweepParts {
  store: Pick<ActivityStore, 'sweep' | 'interruptUnrecorded' | 'getAll'>;
  /** Of this process: what has ended, and whose row says that it runs. What is ended is taken out. */
  unrecorded: Set<string>;
  bus: Pick<ActivityBus, 'publish'>;
  events: Pick<ActivityEvents, 'emit'>;
  leaseMs: number;
  logger: { debug(text: string): void; warn(text: string): void };
}

/**
 * Looks again and again whether a process has died, and ends what it has left behind as `interrupted`. Each process has
 * a timer; whoever ends an activity tells of it, here and by the bus.
 */
export class OwnerSweep {
  readonly #parts: OwnerSweepParts;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: OwnerSweepParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Looks now. Never rejects. @returns milliseconds until the next look is worth it. */
  async look(): Promise<number> {
    try {
      await this.#endUnrecorded();
      return await this.#endWhatOthersLeft();
    } catch (error) {
      if (!this.#stopping.signal.aborted) {
        this.#parts.logger.debug(`It could not be looked after dead processes: ${errorText(error)}`);
      }
      return 0;
    }
  }

  /** Resolves when the step at hand is done. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { leaseMs } = this.#parts;
    const { signal } = this.#stopping;
    for (let nextLookMs = leaseMs; ;) {
      await delay(nextLookMs + this.#jitterMs(), undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      nextLookMs = Math.min(leaseMs * SELDOM, Math.max(leaseMs * OFTEN, await this.look()));
    }
  }

  async #endUnrecorded(): Promise<void> {
    const { store, unrecorded } = this.#parts;
    if (unrecorded.size === 0) return;
    const ids = [...unrecorded];
    const ended = await store.interruptUnrecorded(ids);
    for (const id of ids) unrecorded.delete(id);
    await this.#tell(ended);
  }

  async #endWhatOthersLeft(): Promise<number> {
    const { store, logger } = this.#parts;
    const counts = new Map<string, { owner: ActivityOwner; count: number }>();
    const told: Promise<void>[] = [];
    try {
      return await store.sweep({
        signal: this.#stopping.signal,
        onInterrupted: ({ owner, ids }) => {
          counts.set(owner.id, { owner, count: (counts.get(owner.id)?.count ?? 0) + ids.length });
          told.push(this.#tell(ids));
        },
      });
    } finally {
      for (const { owner, count } of counts.values()) logger.warn(whatWasLeft(owner, count));
      await Promise.all(told);
    }
  }

  #jitterMs(): number {
    return Math.random() * Math.min(MOST_JITTER_MS, this.#parts.leaseMs * OFTEN);
  }

  async #tell(ids: readonly string[]): Promise<void> {
    const { store, bus, events } = this.#parts;
    for (const activityId of ids) bus.publish({ kind: 'settled', activityId });
    const activities = await store.getAll(ids).catch(() => []);
    for (const activity of activities) events.emit('settled', { snapshot: () => activity });
  }
}

function whatWasLeft({ host, pid, renewedAt }: ActivityOwner, count: number): string {
  const who = host === null ? 'A process of which nothing is known' : `The process ${host}:${pid}`;
  return `${who} was last heard of at ${renewedAt.toISOString()}: ${count} activities that it has left behind are interrupted.`;
}
