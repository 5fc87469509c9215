import type { ActivitySettings } from '../config/activity-module.options.js';
import type { CheckedActivityOptions } from '../config/activity.options.js';
import { toActor, toResource } from '../model/activity.js';
import { newActivityId } from '../storage/activity-id.js';
import type { ActivityIdentity } from '../storage/activity-store.js';
import { ActivityRecord, type RecordParts } from './activity-record.js';
import { NO_ORIGIN, type RunRequest } from './run-request.js';
import { RunningActivity, type RunningActivityListener } from './running-activity.js';
import type { StoreWatch } from './store-watch.js';

export interface ActivityFactoryParts {
  settings: ActivitySettings;
  record: RecordParts;
  listener: RunningActivityListener;
  watch: StoreWatch;
}

const NO_METADATA = Object.freeze({});
const NO_ANCESTORS: readonly string[] = [];

/** Makes the activity of one call, with the module's defaults and what it inherits from the activity around it. */
export function createRunningActivity(
  { options, origin }: RunRequest,
  parent: RunningActivity | undefined,
  { settings, record, listener, watch }: ActivityFactoryParts,
): RunningActivity {
  const inherited = parent?.record.identity;
  const { redaction } = record;
  const createdAt = new Date();
  const identity: ActivityIdentity = {
    id: newActivityId(createdAt),
    scope: options.scope ?? inherited?.scope ?? 'default',
    type: options.type,
    title: redaction.textOrNull(options.title),
    resource: toResource(options.resource),
    actor: options.actor === undefined ? (inherited?.actor ?? null) : toActor(options.actor),
    batchId: options.batchId === undefined ? (inherited?.batchId ?? null) : options.batchId,
    parentId: options.parentId === undefined ? (parent?.id ?? null) : options.parentId,
    cancellable: options.cancellable ?? true,
    origin: origin ?? inherited?.origin ?? NO_ORIGIN,
    limitKey: options.limit?.key ?? null,
    job: null,
    metadata: options.metadata === undefined ? NO_METADATA : redaction.object(options.metadata),
    createdAt,
  };
  const activity = new RunningActivity(
    new ActivityRecord(identity, record, parent?.record.share(options.weight ?? 1)),
    parent ? [parent.id, ...parent.ancestorIds] : NO_ANCESTORS,
    {
      timeout: options.timeout ?? settings.timeout,
      cancelGrace: options.cancelGrace ?? settings.cancelGrace,
      shutdownGrace: options.shutdownGrace ?? parent?.shutdownGrace ?? settings.shutdownGrace,
      keepResult: standsForOthers(options) ? 'faithfully' : (options.keepResult ?? false),
      outcomes: options.outcomes,
      watch,
    },
    listener,
  );
  if (parent) activity.followParent(parent);
  if (options.signal) activity.follow(options.signal);
  return activity;
}

/** Its result may be given to another call. */
function standsForOthers({ exclusive, idempotencyKey }: CheckedActivityOptions): boolean {
  return typeof idempotencyKey === 'string' || exclusive?.onConflict === 'join';
}
