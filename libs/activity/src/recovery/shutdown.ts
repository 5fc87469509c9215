import type { ActivitySettings } from '../config/activity-module.options.js';
import { withinTime } from '../execution/bounded-wait.js';
import type { ActivityRunner } from '../execution/activity-runner.js';
import { ActivityShutdownError } from '../model/cancellation.js';

/** How long aborted work may take to clean up before its row is settled without it. */
const CLEAN_UP_MS = 2_000;

/**
 * Ends what runs when the application stops: nothing new is started and what waits for a slot is interrupted; running
 * work has `shutdownGrace` to finish (and may start what it needs for that), then its signal aborts with the reason `shutdown`, and what ignores that is settled as `interrupted` without it.
 */
export async function endRunningActivities(
  runner: ActivityRunner,
  settings: Pick<ActivitySettings, 'shutdownGrace'>,
  logger: { log(text: string): void; warn(text: string): void },
): Promise<void> {
  runner.stop();
  const { running } = runner;
  // What waits for a slot has not begun, and must not begin now; a child is waited for by its parent.
  for (const activity of running.all()) {
    if (activity.record.status === 'queued' && activity.ancestorIds.length === 0) {
      activity.abort(new ActivityShutdownError(activity.id));
    }
  }
  if (running.size === 0) return;
  logger.log(`Stopping: ${running.size} activities may finish within ${settings.shutdownGrace} ms.`);
  await withinTime(running.whenEmpty(), settings.shutdownGrace, undefined);
  if (running.size === 0) return;
  logger.warn(`Stopping: ${running.size} activities are interrupted.`);
  for (const activity of running.all()) activity.abort(new ActivityShutdownError(activity.id));
  await withinTime(running.whenEmpty(), CLEAN_UP_MS, undefined);
  for (const activity of running.all()) void activity.force();
}
