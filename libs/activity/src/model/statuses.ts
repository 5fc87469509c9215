/** Where an activity stands. Design: a final status is never left. */
export type ActivityStatus = ActiveStatus | FinalStatus;
/** Not ended yet: `queued` waits for a slot or another attempt, `running` works, `cancelling` was asked to stop and has not yet. */
export type ActiveStatus = 'queued' | 'running' | 'cancelling';
/** Ended. `interrupted`: the process went away (crash, lost lease, shutdown), not the code. */
export type FinalStatus = 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

export const ACTIVE_STATUSES: readonly ActiveStatus[] = ['queued', 'running', 'cancelling'];
export const FINAL_STATUSES: readonly FinalStatus[] = ['succeeded', 'failed', 'cancelled', 'interrupted'];
export const ACTIVITY_STATUSES: readonly ActivityStatus[] = [...ACTIVE_STATUSES, ...FINAL_STATUSES];

/**
 * From a status to those that may follow it. `queued → succeeded` is missing on purpose: work that never ran has no
 * success; `cancelling → succeeded` is there because work may return before it notices the request; `running → queued`
 * waits for another attempt.
 */
const transitions: ReadonlyMap<ActivityStatus, readonly ActivityStatus[]> = new Map([
  ['queued', ['running', 'cancelled', 'failed', 'interrupted']],
  ['running', ['queued', 'cancelling', 'succeeded', 'failed', 'cancelled', 'interrupted']],
  ['cancelling', ['succeeded', 'failed', 'cancelled', 'interrupted']],
]);

/** True when `to` may follow `from` directly. */
export function canFollow(from: ActivityStatus, to: ActivityStatus): boolean {
  return transitions.get(from)?.includes(to) ?? false;
}

/** The statuses that `to` may follow directly: the guard of every compare-and-set (empty when nothing leads there). */
export function statusesBefore(to: ActivityStatus): ActivityStatus[] {
  return ACTIVITY_STATUSES.filter((from) => canFollow(from, to));
}

/** True for a final status; takes any text, so a row of a newer version does not break a reader. */
export function isFinalStatus(status: string): status is FinalStatus {
  return (FINAL_STATUSES as readonly string[]).includes(status);
}

/** True for one of the seven statuses, in exactly this spelling. */
export function isActivityStatus(value: unknown): value is ActivityStatus {
  return (ACTIVITY_STATUSES as readonly unknown[]).includes(value);
}
