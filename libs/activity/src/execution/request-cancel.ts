import type { ActivityBus } from '../bus/activity-bus.js';
import type { Activity } from '../model/activity.js';
import { ActivityAlreadySettledError, ActivityNotCancellableError, ActivityNotFoundError } from '../model/errors.js';
import type { FinalStatus } from '../model/statuses.js';
import type { ActivityStore, CancelFact, CancelResult } from '../storage/activity-store.js';
import type { ActivityEvents } from './activity-events.js';
import type { ActivityRunner } from './activity-runner.js';
import { withinTime } from './bounded-wait.js';
import type { RunningActivity } from './running-activity.js';

/** `requested`: it has been asked to stop. `repeated`: it had been before. `cancelled`: it was waiting, and has ended. */
export interface CancelReceipt {
  outcome: 'requested' | 'repeated' | 'cancelled';
  activity: Activity;
}

interface CancelParts {
  runner: ActivityRunner;
  store: ActivityStore;
  bus: ActivityBus;
  events: ActivityEvents;
}

/**
 * The fact first, then the signal: whoever writes first is the one who cancelled. A body that has not been called yet
 * waits for the answer. While the store is away, an activity of this process is aborted all the same, and the fact is
 * written with its end.
 */
export function requestCancel(id: string, parts: CancelParts, fact: CancelFact): Promise<CancelReceipt> {
  const local = parts.runner.running.get(id);
  const request = writeThenAbort(id, local, parts, fact);
  local?.expectCancel(request);
  return request;
}

async function writeThenAbort(
  id: string,
  local: RunningActivity | undefined,
  parts: CancelParts,
  fact: CancelFact,
): Promise<CancelReceipt> {
  const result = await write(id, local, parts, fact);
  switch (result.outcome) {
    case 'requested':
      if (local) local.cancel(fact);
      else parts.bus.publish({ kind: 'cancel', activityId: result.activity.id });
      return { outcome: 'requested', activity: await asItWaits(local, parts, result.activity) };
    case 'repeated':
      local?.cancel(result.activity.cancel ?? fact);
      return { outcome: 'repeated', activity: await asItWaits(local, parts, result.activity) };
    case 'cancelled':
      if (local) local.takeOver('cancelled', fact);
      else parts.bus.publish({ kind: 'settled', activityId: result.activity.id });
      break;
    case 'settled':
      throw new ActivityAlreadySettledError(id, result.activity.status as FinalStatus);
    case 'refused':
      throw new ActivityNotCancellableError(id, result.activity.type, result.activity.status);
    case 'unknown':
      throw new ActivityNotFoundError(id);
  }
  return { outcome: result.outcome, activity: result.activity };
}

/** Where a critical section is finished first, the row says so; it may not have been written yet. */
async function asItWaits(
  local: RunningActivity | undefined,
  { store, runner }: CancelParts,
  activity: Activity,
): Promise<Activity> {
  if (!local || local.criticalSection === null) return activity;
  await withinTime(local.record.flush(), runner.settings.startTimeout, undefined);
  return (await store.get(activity.id).catch(() => null)) ?? activity;
}

async function write(
  id: string,
  local: RunningActivity | undefined,
  { store, runner }: CancelParts,
  fact: CancelFact,
): Promise<CancelResult> {
  if (!local) return store.requestCancel(id, fact);
  const away = Symbol('the store is away');
  const result = await withinTime(store.requestCancel(id, fact), runner.settings.startTimeout, away).catch(() => away);
  if (typeof result === 'object' && result.outcome !== 'unknown') return result;
  if (local.settled) return { outcome: 'settled', activity: local.record.snapshot() };
  if (!local.record.identity.cancellable) return { outcome: 'refused', activity: local.record.snapshot() };
  local.record.cancelling(fact);
  return { outcome: 'requested', activity: local.record.snapshot() };
}
