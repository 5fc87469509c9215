import type { RunningActivity } from './running-activity.js';

/** For a row that was settled without the body: when the body does come back, the slot is given back. */
export function finishLate(activity: RunningActivity, work: Promise<unknown>): void {
  const finish = (): void => void activity.finish({ ok: true, value: undefined });
  work.then(finish, finish);
}
