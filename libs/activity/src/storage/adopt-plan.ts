import { ACTIVE_STATUSES, type ActivityStatus } from '../model/statuses.js';
import { QUEUE_OWNER } from './activity-store.js';
import type { Database } from './database.js';
import { toNumber, type SqlValue } from './sql-value.js';
import { ATTEMPT_COLUMNS } from './write.js';
import type { Plan, WriteSession } from './write-plan.js';

export interface AdoptionAsked {
  id: string;
  ownerId: string;
  /** Only one that a queue has. */
  waiting: boolean;
}

/**
 * Gives an active row another owner and a higher fence, in one transaction, and looks up its last line. The row is locked
 * first, so that lines which its old owner is writing are there by then, or can be no more.
 * @returns null where it has ended, is gone, or is not to be had.
 */
export function* adoptPlan(
  { dataSource, tables, greatest }: Database,
  { id, ownerId, waiting }: AdoptionAsked,
): Plan<{ fence: number; lastSeq: number } | null> {
  const locking = dataSource.options.type === 'better-sqlite3' ? '' : ' FOR UPDATE';
  const [row] = (yield select(
    `SELECT status, owner_id, fence, attempts FROM ${tables.activities} WHERE id = ?${locking}`,
    [id],
  )) as Record<string, unknown>[];
  const status = row?.status as ActivityStatus | undefined;
  if (!row || !(ACTIVE_STATUSES as readonly unknown[]).includes(status)) return null;
  if (waiting && (status !== 'queued' || row.owner_id !== QUEUE_OWNER)) return null;
  const fence = toNumber(row.fence) + 1;
  const again = status === 'running' ? `, status = 'queued', attempts = attempts + 1, ${CLEARED}` : '';
  yield execute(
    `UPDATE ${tables.activities} SET owner_id = ?, fence = ?, version = version + 1` +
      `, updated_at = ${greatest}(?, updated_at)${again} WHERE id = ?`,
    [ownerId, fence, Date.now(), id],
  );
  const [last] = (yield select(`SELECT MAX(seq) AS seq FROM ${tables.messages} WHERE activity_id = ?`, [id])) as {
    seq: unknown;
  }[];
  return { fence, lastSeq: toNumber(last?.seq ?? 0) };
}

const CLEARED = ATTEMPT_COLUMNS.map((column) => `${column} = NULL`).join(', ');

function execute(sql: string, values: readonly SqlValue[]) {
  return (session: WriteSession) => session.execute(sql, values);
}

function select(sql: string, values: readonly SqlValue[]) {
  return (session: WriteSession) => session.select(sql, values);
}
