/** A process that runs activities, or did: as the database knows it, by the database's clock. */
export interface ActivityOwner {
  /** Made at random when the application starts; on each of its activities as `ownerId`. */
  id: string;
  /** Null where nothing is known of it but that it has activities. */
  host: string | null;
  pid: number | null;
  /** Of the process. */
  startedAt: Date;
  /** Its last word. */
  renewedAt: Date;
  /** Until when it is believed without another one. */
  expiresAt: Date;
}

/** The same, as an operator looks at it. */
export interface ActivityProcess extends ActivityOwner {
  /** It is the one that was asked. */
  isHere: boolean;
  /** Its lease has not run out. */
  isHeard: boolean;
  /** Its activities that run, those among them that are being cancelled. */
  running: number;
  /** Those that wait for a slot. */
  queued: number;
}
