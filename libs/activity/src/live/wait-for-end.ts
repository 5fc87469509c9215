import { Subject } from 'rxjs';
import type { ActivityBus } from '../bus/activity-bus.js';
import { nextHint } from '../bus/next-hint.js';
import type { Activity } from '../model/activity.js';
import { ActivityNotFoundError, ActivityWaitTimeoutError } from '../model/errors.js';
import { isFinalStatus } from '../model/statuses.js';
import type { ActivityStore } from '../storage/activity-store.js';

/** How often the row is read where no notice comes: the bus is a hint, the row is the truth. */
const POLL_MS = 1_000;
/** What ends just before its process has heard that somebody waits for that is told to nobody. */
const SOON_MS = 50;

export interface WaitOptions {
  timeoutMs?: number;
  /** Stops the waiting, not the activity. */
  signal?: AbortSignal;
}

/**
 * Resolves with the activity once it has ended; at once, from its row, if it has already.
 * @throws {ActivityNotFoundError}; {ActivityWaitTimeoutError} when the time is over; the signal's reason.
 */
export async function waitForEnd(
  id: string,
  { store, bus }: { store: ActivityStore; bus: ActivityBus },
  { timeoutMs, signal }: WaitOptions,
): Promise<Activity> {
  const deadline = timeoutMs === undefined ? Infinity : Date.now() + timeoutMs;
  for (let isFirst = true; ; isFirst = false) {
    signal?.throwIfAborted();
    // Listen first, then read: an end between the two is not missed.
    const enough = new Subject<void>();
    const woken = nextHint(id, bus, {
      withinMs: Math.min(isFirst ? SOON_MS : POLL_MS, Math.max(0, deadline - Date.now())),
      signal,
      enough,
    });
    try {
      const activity = await store.get(id);
      if (!activity) throw new ActivityNotFoundError(id);
      if (isFinalStatus(activity.status)) return activity;
      if (activity.ownerId !== store.ownerId) bus.want(activity.id);
      if (Date.now() >= deadline) throw new ActivityWaitTimeoutError(id, activity.status, timeoutMs!);
      await woken;
    } finally {
      enough.next();
    }
  }
}
