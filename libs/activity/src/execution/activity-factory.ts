import type { ActivitySettings } from '../config/activity-module.options.js';
import type { CheckedActivityOptions } from '../config/activity.options.js';
import { toActor, toResource } from '../model/activity.js';
import { errorText } from '../model/stored-error.js';
import { newActivityId } from '../storage/activity-id.js';
import type { ActivityIdentity, ActivityStore } from '../storage/activity-store.js';
import type { Redaction } from '../output/redaction.js';
import { ActivityRecord } from './activity-record.js';
import type { LogMemory } from './log-memory.js';
import { NO_ORIGIN, type RunRequest } from './run-request.js';
import { RunningActivity, type RunningActivityListener } from './running-activity.js';
import type { StoreWatch } from './store-watch.js';

export interface ActivityFactoryParts {
  settings: ActivitySettings;
  store: ActivityStore;
  redaction: Redaction;
  listener: RunningActivityListener;
  logMemory: LogMemory;
  watch: StoreWatch;
}

/** Makes the activity of one call, with the module's defaults and what it inherits from the activity around it. */
export function createRunningActivity(
  { options, origin }: RunRequest,
  parent: RunningActivity | undefined,
  { settings, store, redaction, listener, logMemory, watch }: ActivityFactoryParts,
): RunningActivity {
  const inherited = parent?.record.identity;
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
    metadata: redaction.object(options.metadata ?? {}),
    createdAt,
  };
  const activity = new RunningActivity(
    new ActivityRecord(identity, store, {
      settings,
      redaction,
      logMemory,
      failures: failuresOf(identity.id, listener),
      share: parent?.record.share(options.weight ?? 1),
    }),
    parent ? [parent.id, ...parent.ancestorIds] : [],
    {
      timeout: options.timeout ?? settings.timeout,
      cancelGrace: options.cancelGrace ?? settings.cancelGrace,
      settlePatience: () => watch.patience,
      keepResult: standsForOthers(options) ? 'faithfully' : (options.keepResult ?? false),
      outcomes: options.outcomes,
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

function failuresOf(id: string, listener: RunningActivityListener) {
  let told = false;
  let late: Set<string> | undefined;
  return {
    onLost: (error: unknown) => {
      if (!told) listener.warn(`Part of activity ${id} is not recorded: ${errorText(error)}`);
      told = true;
    },
    onLate: (what: string) => {
      late ??= new Set();
      if (!late.has(what)) listener.debug(`Activity ${id} has ended; late ${what} is dropped.`);
      late.add(what);
    },
  };
}
