import { KeyIsTaken, type KeyWrite } from './activity-keys.js';
import type { SqlValue } from './sql-value.js';
import type { Plan } from './write-plan.js';

/** Keys, and the row that is to have them (null: it is there already). */
export interface ClaimBatch {
  keys: readonly KeyWrite[];
  row: readonly SqlValue[] | null;
}

/**
 * All or nothing: a claim is never seen without the row of its activity, so a key whose row is not there is free.
 * The keys go first: two that want the same one wait for each other there, before anything else is written.
 * @throws {KeyIsTaken} for the transaction to roll back.
 */
export function* claimPlan({ keys, row }: ClaimBatch): Plan<void> {
  for (const key of keys) {
    if (!(yield (session) => session.takeKey(key))) throw new KeyIsTaken();
  }
  if (row) yield (session) => session.insertActivities([row]);
}
