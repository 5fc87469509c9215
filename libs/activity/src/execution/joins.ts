import type { ActivityBus } from '../bus/activity-bus.js';
import { nextHint } from '../bus/next-hint.js';
import type { Activity } from '../model/activity.js';
import { ActivityResultUnavailableError } from '../model/key-errors.js';
import { isFinalStatus, type ActiveStatus, type ActivityStatus } from '../model/statuses.js';
import type { ActivityStore } from '../storage/activity-store.js';
import { outcomeOfRow, sharedValue, type JoinedRun } from './joined-run.js';
import type { RunRequest } from './run-request.js';
import type { RunningActivity } from './running-activity.js';
import { untilAborted } from './until-aborted.js';

/** How often a row of another process is looked at, where no hint comes. */
export const POLL_MS = 100;

/** Lets a call stand for an activity that is there already, in this process, in another, or in the history. */
export class Joins {
  constructor(private readonly parts: { store: ActivityStore; bus: ActivityBus }) {}

  /** @throws {ActivityResultUnavailableError} where either of them has nothing that can be shared. */
  here(running: { activity: RunningActivity; outcome?: Promise<unknown> }, request: RunRequest): JoinedRun {
    const { id, signal, record } = running.activity;
    const { outcome } = running;
    if (!outcome || !request.outcome) throw unshared(id, record.status);
    return {
      activityId: id,
      status: activeOf(record.status),
      replayed: false,
      signal,
      outcome: async (ofCall) => sharedValue(id, await untilAborted(outcome, ofCall)),
    };
  }

  /** @throws the same. */
  elsewhere({ id, status }: Activity, request: RunRequest): JoinedRun {
    if (!request.outcome) throw unshared(id, status);
    return {
      activityId: id,
      status: activeOf(status),
      replayed: false,
      outcome: (signal) => this.#outcomeElsewhere(id, signal),
    };
  }

  /** @throws the same. */
  ended(row: Activity, request: RunRequest): JoinedRun {
    if (!request.outcome) throw unshared(row.id, row.status);
    return { activityId: row.id, status: 'running', replayed: true, outcome: async () => outcomeOfRow(row) };
  }

  async #outcomeElsewhere(id: string, signal: AbortSignal): Promise<unknown> {
    const { store, bus } = this.parts;
    for (;;) {
      signal.throwIfAborted();
      const row = await store.get(id);
      if (!row) throw new ActivityResultUnavailableError(id, 'interrupted', 'its row is gone');
      if (isFinalStatus(row.status)) return outcomeOfRow(row);
      bus.want(id);
      await nextHint(id, bus, { withinMs: POLL_MS, signal });
    }
  }
}

/** It may end at any moment. */
function activeOf(status: ActivityStatus): ActiveStatus {
  return isFinalStatus(status) ? 'running' : status;
}

function unshared(id: string, status: ActivityStatus): ActivityResultUnavailableError {
  return new ActivityResultUnavailableError(id, status, 'a stream, or an answer that is written by hand, is not kept');
}
