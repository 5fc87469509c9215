import type { Observable } from 'rxjs';

/**
 * `cancel`: it has been asked to stop, or was ended by somebody else; its owner should look. `settled`: it has ended.
 * `wanted`: somebody waits for its end.
 */
export const NOTICE_KINDS = ['cancel', 'settled', 'wanted'] as const;

/** A hint to other processes (ids only): the fact itself stands in the database, so a lost one costs time, not truth. */
export interface ActivityNotice {
  kind: (typeof NOTICE_KINDS)[number];
  activityId: string;
}

/** Tells the processes that share a database what has changed. */
export interface ActivityBus {
  /** Of this process and of the others. */
  readonly notices: Observable<ActivityNotice>;
  /** Whether others are heard at this moment; null where nothing connects this process to them. */
  readonly isConnected: boolean | null;
  /** Notices of others may have been missed: the rows are worth a look. */
  readonly gaps: Observable<void>;
  /**
   * To this process at once, to the others in a moment. Never throws.
   * @param options.onlyIfWanted  others are told only where one of them has said that it waits for that end.
   */
  publish(notice: ActivityNotice, options?: { onlyIfWanted?: boolean }): void;
  /** Says to others that this process waits for the end of one of theirs. Often: once a second is told. */
  want(activityId: string): void;
  /** Of one activity, and when any may have been missed. */
  hints(activityId: string): Observable<void>;
}

export const ACTIVITY_BUS = Symbol('ActivityBus');
