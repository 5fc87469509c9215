import type { ActivitySettings } from '../config/activity-module.options.js';
import type { CheckedActivityOptions } from '../config/activity.options.js';
import type { RunRequest } from '../execution/run-request.js';
import { refuseKeyOfNobody } from './key-owner.js';
import { optionsOfCall, withDefaults } from './options-of-call.js';
import { requestAround } from './plain-call.js';

/**
 * What `ActivityService` runs, with what the request around it knows: who asked, where it came from, scope and batch.
 * Within an activity they are inherited; outside of both, the options are all there is.
 */
export async function requestOfRun(options: CheckedActivityOptions, settings: ActivitySettings): Promise<RunRequest> {
  const around = requestAround();
  if (!around) return { options };
  const { context, request, origin, batchId } = around;
  const {
    options: found,
    notes,
    leftOut,
  } = await optionsOfCall(
    { fixed: options, asked: [] },
    { args: [], className: context.getClass().name, methodName: context.getHandler().name, request, context },
    settings,
  );
  refuseKeyOfNobody(found, leftOut);
  return { options: withDefaults(found, { batchId }), notes, origin };
}
