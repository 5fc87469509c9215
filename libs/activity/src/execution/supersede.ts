import type { ActivityBus } from '../bus/activity-bus.js';
import type { Activity } from '../model/activity.js';
import { ActivitySupersededError, type CancelRequest } from '../model/cancellation.js';
import type { ActivityStore } from '../storage/activity-store.js';
import type { RunningActivity } from './running-activity.js';

/**
 * Cancels an activity of this process in favour of a newer one. One that may not be cancelled goes on, and the newer
 * one waits for it.
 */
export function supersede(old: RunningActivity, newer: RunningActivity): void {
  if (old.record.identity.cancellable) old.abort(new ActivitySupersededError(old.id, requestOf(newer)));
}

/** The same for one of another process, which is asked as by any cancel: by its row, and a hint. */
export function supersedeElsewhere(
  { id }: Pick<Activity, 'id'>,
  newer: RunningActivity,
  { store, bus }: { store: ActivityStore; bus: ActivityBus },
): void {
  store.requestCancel(id, { ...requestOf(newer), requestedAt: new Date() }, 'superseded').then(
    () => bus.publish({ kind: 'cancel', activityId: id }),
    () => undefined,
  );
}

function requestOf({ id, record }: RunningActivity): Required<CancelRequest> {
  return { by: record.identity.actor, reason: `superseded by activity ${id}` };
}
