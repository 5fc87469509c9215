import { ACTIVE_STATUSES } from '../model/statuses.js';
import type { CancelFact, RequestReason } from './activity-store.js';
import type { Database } from './database.js';
import type { SqlValue } from './sql-value.js';
import { statusList } from './tables.js';
import { cancelValues } from './storable-writes.js';
import { CANCEL_COLUMNS } from './write.js';

/**
 * `queued → cancelled`, `running → cancelling`, in one statement that any process may send. One that is being stopped for
 * another reason (its deadline, say) has no request yet, and takes this one.
 * A reason other than `user` stands on the row at once, for its owner to hear.
 * `status` is set last: MariaDB reads the new value of a column that stands before.
 * @returns true when this was the first request.
 */
export async function writeCancelRequest(
  database: Database,
  id: string,
  { cancel, reason }: { cancel: CancelFact; reason: RequestReason },
): Promise<boolean> {
  const at = cancel.requestedAt.getTime();
  const waits = `status = 'queued'`;
  const sql =
    `UPDATE ${database.tables.activities} SET ` +
    CANCEL_COLUMNS.map((column) => `${column} = ?`).join(', ') +
    (reason === 'user' ? `, reason = CASE WHEN ${waits} THEN 'user' ELSE reason END` : `, reason = '${reason}'`) +
    `, ended_at = CASE WHEN ${waits} THEN ${database.greatest}(?, created_at) ELSE ended_at END` +
    `, updated_at = ${database.greatest}(?, updated_at), version = version + 1` +
    `, status = CASE WHEN ${waits} THEN 'cancelled' ELSE 'cancelling' END` +
    ` WHERE id = ? AND cancellable = ${database.truth} AND cancel_requested_at IS NULL` +
    ` AND status IN (${statusList(ACTIVE_STATUSES)})`;
  const values: SqlValue[] = [...cancelValues(cancel), at, at, id];
  return (await database.change(sql, values)) === 1;
}

/**
 * `cancelling → cancelled`, reason `forced`, by any process: its owner's later writes find an ended row.
 * @returns true when this ended it.
 */
export async function writeForcedEnd(database: Database, id: string, endedAt: Date): Promise<boolean> {
  const at = endedAt.getTime();
  const sql =
    `UPDATE ${database.tables.activities} SET reason = 'forced', critical_section = NULL` +
    `, ended_at = ${database.greatest}(?, COALESCE(started_at, created_at))` +
    `, updated_at = ${database.greatest}(?, updated_at), version = version + 1, status = 'cancelled'` +
    ` WHERE id = ? AND cancellable = ${database.truth} AND status = 'cancelling' AND cancel_requested_at IS NOT NULL`;
  return (await database.change(sql, [at, at, id])) === 1;
}
