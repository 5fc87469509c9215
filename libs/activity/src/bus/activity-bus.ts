import type { Observable } from 'rxjs';

/** A hint to other processes (ids only): the fact itself stands in the database, so a lost one costs time, not truth. */
export interface ActivityNotice {
  kind: 'cancel' | 'settled';
  activityId: string;
}

/** Tells the processes that share a database what has changed. */
export interface ActivityBus {
  readonly notices: Observable<ActivityNotice>;
  publish(notice: ActivityNotice): void;
  close(): void;
}

export const ACTIVITY_BUS = Symbol('ActivityBus');
