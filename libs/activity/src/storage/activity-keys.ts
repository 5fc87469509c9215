/**
 * A key that at most one activity has: `exclusive` while that activity is active, `idempotency` as long as its row is
 * there. Keys are known by their hash, so they are compared exactly, whatever the collation of the database.
 */
export interface KeyClaim {
  /** 64 characters of hexadecimal: see `keyHash`. */
  hash: string;
  kind: 'exclusive' | 'idempotency';
  /** Hash of what was asked for; null where nothing is compared. */
  fingerprint: string | null;
  /** The activity that has the key until now and may lose it; null: nobody has. */
  from: string | null;
}

/** The activity that claimed a key last; it may have ended, or its row may be gone. */
export interface KeyHolder {
  activityId: string;
  fingerprint: string | null;
}

/** A claim of one activity, as a session writes it. */
export interface KeyWrite extends KeyClaim {
  activityId: string;
  createdAt: number;
}

/** Thrown inside a transaction, so that nothing of it stays: somebody else was first. */
export class KeyIsTaken extends Error {}
