import type { ActivityBus } from '../bus/activity-bus.js';
import { errorText } from '../model/stored-error.js';
import { isFinalStatus } from '../model/statuses.js';
import type { ActivityStore, ForeignChange } from '../storage/activity-store.js';
import { afterDelay } from './long-timeout.js';
import type { RunningActivities } from './running-activities.js';

/** So many activities are looked up by one statement; of more, each poll takes the next ones. */
const MOST_AT_ONCE = 1_000;
/** Of the interval: the polls of many processes drift apart, and none comes later than it says. */
const JITTER = 0.2;

export interface RemoteChangesParts {
  running: RunningActivities;
  store: Pick<ActivityStore, 'foreignChanges'>;
  bus: Pick<ActivityBus, 'notices' | 'gaps'>;
  /** Milliseconds between two polls, at most. */
  everyMs: number;
  logger: { debug(text: string): void };
}

/**
 * Hears what other processes have asked of the activities of this one: to stop them, or that they have been ended. The
 * facts stand in the database. A notice of the bus says which row to look at; a poll finds what no notice told, with
 * one statement for the whole process, and only while something runs or waits here. Never are two statements in flight.
 */
export class RemoteChanges {
  readonly #parts: RemoteChangesParts;
  readonly #due = new Set<string>();
  #looking: Promise<void> | undefined;
  #lastPolled = '';
  #stopTimer: () => void = () => undefined;
  #stopListening: () => void = () => undefined;
  #isStopped = false;

  constructor(parts: RemoteChangesParts) {
    this.#parts = parts;
  }

  start(): void {
    const { bus } = this.#parts;
    const hints = bus.notices.subscribe(({ activityId }) => this.#hint(activityId));
    hints.add(bus.gaps.subscribe(() => void this.poll()));
    this.#stopListening = () => hints.unsubscribe();
    this.#schedule();
  }

  /** Looks for all that runs or waits here (of more than 1,000, for the next ones). Never rejects. */
  async poll(): Promise<void> {
    for (const id of this.#nextToPoll()) this.#due.add(id);
    if (this.#due.size > 0) await this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
    this.#stopListening();
    this.#due.clear();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const delay = this.#parts.everyMs * (1 - JITTER * Math.random());
    this.#stopTimer = afterDelay(delay, () => void this.poll().finally(() => this.#schedule()));
  }

  /** What was settled here is told too, and is no news. */
  #hint(id: string): void {
    const activity = this.#parts.running.get(id);
    if (!activity || activity.settled) return;
    this.#due.add(activity.id);
    void this.#look();
  }

  #nextToPoll(): string[] {
    const ids = this.#parts.running.all().flatMap(({ id, settled }) => (settled ? [] : [id]));
    if (ids.length <= MOST_AT_ONCE) return ids;
    ids.sort();
    const later = ids.filter((id) => id > this.#lastPolled);
    const next = (later.length > 0 ? later : ids).slice(0, MOST_AT_ONCE);
    this.#lastPolled = next.at(-1)!;
    return next;
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookAtAll().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    // Notices come many at once.
    await Promise.resolve();
    while (this.#due.size > 0) {
      const ids = [...this.#due].slice(0, MOST_AT_ONCE);
      for (const id of ids) this.#due.delete(id);
      try {
        for (const change of await this.#parts.store.foreignChanges(ids)) this.#hear(change);
      } catch (error) {
        this.#parts.logger.debug(`What other processes have asked for is not known for now: ${errorText(error)}`);
      }
    }
  }

  #hear(change: ForeignChange): void {
    const activity = this.#parts.running.get(change.id);
    // What was taken from a process that had been silent is told with its lease.
    if (!activity || activity.settled || change.reason === 'owner_lost') return;
    if (isFinalStatus(change.status)) activity.takeOver(change);
    else if (change.cancel && !activity.isAsked) {
      activity.cancel(change.cancel, change.reason === 'superseded' ? 'superseded' : 'user');
    }
  }
}
