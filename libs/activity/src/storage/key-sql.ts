import type { KeyWrite } from './activity-keys.js';
import type { SqlValue } from './sql-value.js';

/**
 * A first claim is an insert that at most one wins; a later one takes the key from the activity that had it, by
 * compare-and-set on its id.
 */
export function takeKeySql(table: string, key: KeyWrite): { sql: string; values: SqlValue[] } {
  const { hash, kind, fingerprint, from, activityId, createdAt } = key;
  if (from === null) {
    return {
      sql: `INSERT INTO ${table} (key_hash, kind, activity_id, fingerprint, created_at) VALUES (?, ?, ?, ?, ?)`,
      values: [hash, kind, activityId, fingerprint, createdAt],
    };
  }
  return {
    sql: `UPDATE ${table} SET activity_id = ?, fingerprint = ?, created_at = ? WHERE key_hash = ? AND activity_id = ?`,
    values: [activityId, fingerprint, createdAt, hash, from],
  };
}

/** `?` as PostgreSQL counts them. */
export function numbered(sql: string): string {
  let place = 0;
  return sql.replaceAll('?', () => `$${++place}`);
}
