import type { Activity } from '../model/activity.js';
import type { KeyHolder } from '../storage/activity-keys.js';
import type { ActivityStore } from '../storage/activity-store.js';
import type { StoreInTime } from './store-in-time.js';

/** Who has a key, as the database says it. */
export interface KeyPossession {
  /** The activity that a claim has to take it from; null: nobody's. */
  from: string | null;
  /** That activity, if it is another one and its row is there. */
  other?: { row: Activity; fingerprint: string | null };
}

/**
 * Asks who has a key, for an activity that wants it. One that has it itself is no other: an attempt of its own was
 * committed, and its answer was lost.
 * @throws {ActivityStoreError} when the database does not answer in time.
 */
export async function possessionOf(
  hash: string,
  wantedBy: string,
  { store, inTime }: { store: ActivityStore; inTime: StoreInTime },
): Promise<KeyPossession> {
  const found: KeyHolder | null = await inTime.answer(store.keyHolder(hash));
  if (!found) return { from: null };
  const { activityId: from, fingerprint } = found;
  const row = from === wantedBy ? null : await inTime.answer(store.get(from));
  return row ? { from, other: { row, fingerprint } } : { from };
}
