import type { Activity } from './activity.js';

/** What happened to an activity of this process; each has the activity as it was then. */
export type ActivityEventName = 'queued' | 'started' | 'cancelling' | 'settled';

export interface ActivityEvent {
  name: ActivityEventName;
  activity: Activity;
}
