import type { ActivityStatus } from '../model/statuses.js';

/** A slot of a limit that counts in all processes, as an activity asks for it. */
export interface SlotClaim {
  key: string;
  /** How many at once, as its own code says: the newest that was said holds, unless somebody has set another. */
  max: number;
  /** Scopes take turns. */
  scope: string;
}

/**
 * How an activity stands at its limit. `started`: it has a slot, and its row says `running`. `held`: it has a slot, and
 * its row does not say so yet. `waiting`: with its place in line, 1 for the next one.
 */
export type SlotStanding =
  { state: 'started' | 'held'; max: number } | { state: 'waiting'; max: number; position: number };

/** A slot that was handed to one that had waited for it, in whichever process that is. */
export interface SlotGrant {
  activityId: string;
  ownerId: string;
  state: 'started' | 'held';
}

/** What one that waits finds when it looks; of one whose place is gone there is none. */
export interface SlotLook {
  activityId: string;
  isHeld: boolean;
  /** Null: its row is gone. */
  status: ActivityStatus | null;
}
