/** Of the newest 256 of something. Zeros where there was none yet. */
export interface RecentFigures {
  last: number;
  mean: number;
  /** 95 of 100 were not greater. */
  p95: number;
}

/** What waits to be written, by kind. */
export interface WaitingWrites {
  /** First rows. */
  starts: number;
  /** Final statuses. */
  ends: number;
  /** Progress, slots granted, cancels. */
  changes: number;
  /** Lines of logs and outputs, with those that are not handed to be written yet. */
  lines: number;
}

/** How the tracker of this process is doing. Counts are since its start. */
export interface ActivityStats {
  /** Of this process, now. */
  activities: { running: number; queued: number };
  /** What tells other processes at once; null where there is none, and polls find everything. */
  bus: { isConnected: boolean } | null;
  waiting: WaitingWrites;
  /** Writes of the batch that is being written. */
  inFlight: number;
  /** Of `waiting`: writes to rows that somebody else has locked. */
  heldBack: number;
  batches: number;
  writes: number;
  /** Attempts that failed for the moment: a lock, a deadlock, a database that is away. */
  retries: number;
  /** Writes that the database has refused for good. */
  refused: number;
  /** Left out since too much waited: activities as a whole, and lines of `log.*`. */
  dropped: { activities: number; lines: number };
  batchSize: RecentFigures;
  /** Milliseconds from the beginning of a batch to its commit. */
  flushMs: RecentFigures;
  /** Since when nothing can be written; null while it can. */
  awaySince: Date | null;
}

/** Of these figures, those of the store. */
export type WriteStats = Omit<ActivityStats, 'activities' | 'bus' | 'dropped'> & { droppedStarts: number };
