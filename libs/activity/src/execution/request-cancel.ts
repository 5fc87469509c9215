import type { ActivityBus } from '../bus/activity-bus.js';
import type { Activity } from '../model/activity.js';
import { ActivityAlreadySettledError, ActivityNotCancellableError, ActivityNotFoundError } from '../model/errors.js';
import { isFinalStatus, type FinalStatus } from '../model/statuses.js';
import type { ActivityStore, CancelFact, CancelResult } from '../storage/activity-store.js';
import type { ActivityRunner } from './activity-runner.js';
import { withinTime } from './bounded-wait.js';
import type { RunningActivity } from './running-activity.js';

/**
 * `requested`: it has been asked to stop; where `activity.criticalSection` is set, it finishes that first. `repeated`: it
 * had been asked before. `cancelled`: it was waiting, and has ended. `forced`: it was ended without its work.
 */
export interface CancelReceipt {
  outcome: 'requested' | 'repeated' | 'cancelled' | 'forced';
  activity: Activity;
}

interface CancelParts {
  runner: ActivityRunner;
  store: ActivityStore;
  bus: ActivityBus;
}

interface Asked {
  fact: CancelFact;
  force: boolean;
}

/**
 * The fact first, then the signal: whoever writes first is the one who cancelled. A body that has not been called yet
 * waits for the answer. While the store is away, an activity of this process is aborted all the same, and the fact is
 * written with its end.
 */
export function requestCancel(id: string, parts: CancelParts, asked: Asked): Promise<CancelReceipt> {
  const local = parts.runner.running.get(id);
  const request = writeThenAbort(id, local, parts, asked);
  local?.expectCancel(request);
  return request;
}

async function writeThenAbort(
  id: string,
  local: RunningActivity | undefined,
  parts: CancelParts,
  { fact, force }: Asked,
): Promise<CancelReceipt> {
  const result = await write(id, local, parts, fact);
  switch (result.outcome) {
    case 'requested':
    case 'repeated': {
      if (force) return endByForce(result, local, parts, fact);
      if (local) local.cancel(result.activity.cancel ?? fact);
      else if (result.outcome === 'requested') parts.bus.publish({ kind: 'cancel', activityId: result.activity.id });
      return { ...result, activity: await asItWaits(local, parts, result.activity) };
    }
    case 'cancelled':
      if (local) local.takeOver(result.activity);
      else parts.bus.publish({ kind: 'settled', activityId: result.activity.id });
      return result;
    case 'settled':
      throw new ActivityAlreadySettledError(id, result.activity.status as FinalStatus);
    case 'refused':
      throw new ActivityNotCancellableError(id, result.activity.type, result.activity.status);
    case 'unknown':
      throw new ActivityNotFoundError(id);
  }
}

/** Its owner ends it with its last word, where that is this process; else the row is ended by itself. */
async function endByForce(
  asked: CancelReceipt,
  local: RunningActivity | undefined,
  { store, bus, runner }: CancelParts,
  fact: CancelFact,
): Promise<CancelReceipt> {
  const { id } = asked.activity;
  if (local) await withinTime(Promise.resolve(local.force(fact)), runner.settings.startTimeout, undefined);
  else if (await store.forceEnd(id, fact.requestedAt)) {
    bus.publish({ kind: 'cancel', activityId: id });
    bus.publish({ kind: 'settled', activityId: id });
  }
  const row = await rowOf(id, { store, runner }, local?.record.snapshot() ?? asked.activity);
  if (row.reason === 'forced') return { outcome: 'forced', activity: row };
  // Its work was faster.
  if (isFinalStatus(row.status)) throw new ActivityAlreadySettledError(id, row.status);
  return { ...asked, activity: row };
}

/** Where a critical section is finished first, the row says so; it may not have been written yet. */
async function asItWaits(
  local: RunningActivity | undefined,
  { store, runner }: CancelParts,
  activity: Activity,
): Promise<Activity> {
  if (!local || local.criticalSection === null) return activity;
  await withinTime(local.record.flush(), runner.settings.startTimeout, undefined);
  return rowOf(activity.id, { store, runner }, local.record.snapshot());
}

/** The row, or what is known of it where the store is away. */
async function rowOf(
  id: string,
  { store, runner }: Pick<CancelParts, 'store' | 'runner'>,
  known: Activity,
): Promise<Activity> {
  const row = await withinTime(store.get(id), runner.settings.startTimeout, null).catch(() => null);
  return row ?? known;
}

async function write(
  id: string,
  local: RunningActivity | undefined,
  { store, runner }: CancelParts,
  fact: CancelFact,
): Promise<CancelResult> {
  if (!local) return store.requestCancel(id, fact);
  // What has come from its parent or its deadline was first, though it may not have been written yet.
  if (local.record.status === 'cancelling') {
    await withinTime(local.record.flush(), runner.settings.startTimeout, undefined);
  }
  const away = Symbol('the store is away');
  const result = await withinTime(store.requestCancel(id, fact), runner.settings.startTimeout, away).catch(() => away);
  if (typeof result === 'object' && result.outcome !== 'unknown') return result;
  if (local.settled) return { outcome: 'settled', activity: local.record.snapshot() };
  if (!local.record.identity.cancellable) return { outcome: 'refused', activity: local.record.snapshot() };
  return { outcome: 'requested', activity: local.record.snapshot() };
}
