import { ACTIVE_STATUSES } from '../model/statuses.js';
import { LENGTHS } from './activity-entities.js';
import type { Database } from './database.js';
import type { KnownOwner } from './owner-rows.js';
import type { SqlValue } from './sql-value.js';
import { storableText } from './storable-text.js';
import { statusList } from './tables.js';
import type { Plan, WriteSession } from './write-plan.js';

const ACTIVE = statusList(ACTIVE_STATUSES);
/** For whoever may see the activity: the line of the log, which names the process, is for those who may read that. */
const ERROR = {
  name: 'ActivityOwnerLostError',
  code: 'ACTIVITY_CANCELLED',
  message: 'It was interrupted: the process that ran it is gone.',
  public: true,
};

export interface Interruption {
  /** Of another process with its last word; where that is left out, the process itself asks. */
  owner: Pick<KnownOwner, 'id'> & Partial<Pick<KnownOwner, 'renewedAtMs'>>;
  ids: readonly string[];
  /** The line that each of them gets. */
  text: string;
}

/**
 * Ends activities that a process has left behind, in one transaction: by compare-and-set on its last word, which keeps it
 * from renewing meanwhile, then on each row, whose fence is raised. Each gets one more line, after the last that was
 * durable; lines that were counted and are lost are counted no more.
 * @returns which were ended; null when the process has spoken since.
 */
export function* interruptPlan(
  { dataSource, tables, now, greatest }: Database,
  { owner, ids, text }: Interruption,
): Plan<string[] | null> {
  const { locking, byId } = hints(dataSource.options.type);
  if (owner.renewedAtMs !== undefined) {
    const isSilent = (yield execute(
      `UPDATE ${tables.owners} SET swept_at = ${now}, sweeps = sweeps + 1 WHERE id = ? AND renewed_at = ?`,
      [owner.id, owner.renewedAtMs],
    )) as number;
    if (isSilent === 0) return null;
  }
  // Locked first, so that lines which are being written are there, or can be no more, before the next `seq` is looked up.
  const found = (yield select(
    `SELECT id FROM ${tables.activities}${byId} WHERE id IN (${marks(ids)}) AND owner_id = ? AND status IN (${ACTIVE})${locking}`,
    [...ids, owner.id],
  )) as { id: string }[];
  const left = found.map(({ id }) => id);
  if (left.length === 0) return [];
  const lastSeq = `(SELECT MAX(m.seq) FROM ${tables.messages} m WHERE m.activity_id = a.id)`;
  yield execute(
    `INSERT INTO ${tables.messages} (activity_id, seq, at, level, text, source, step) ` +
      `SELECT a.id, COALESCE(${lastSeq}, 0) + 1, ${now}, 'warn', ?, 'activity', a.step ` +
      `FROM ${tables.activities} a${byId} WHERE a.id IN (${marks(left)})`,
    [storableText(text, LENGTHS.message), ...left],
  );
  yield execute(
    `UPDATE ${tables.activities} AS a${byId} SET message_count = ${lastSeq}, latest_message = ?` +
      `, warning_count = warning_count + 1, critical_section = NULL, reason = 'owner_lost', error = ?, error_message = ?` +
      `, ended_at = ${greatest}(${now}, COALESCE(started_at, created_at)), updated_at = ${greatest}(${now}, updated_at)` +
      `, fence = fence + 1, version = version + 1, status = 'interrupted' WHERE a.id IN (${marks(left)})`,
    [storableText(text, LENGTHS.latest_message), JSON.stringify(ERROR), ERROR.message, ...left],
  );
  return left;
}

/** MariaDB would rather scan the table for many ids, and wait for every row of it that somebody has locked. */
function hints(type: Database['dataSource']['options']['type']): { locking: string; byId: string } {
  if (type === 'better-sqlite3') return { locking: '', byId: '' };
  return { locking: ' FOR UPDATE', byId: type === 'postgres' ? '' : ' FORCE INDEX (PRIMARY)' };
}

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}

function execute(sql: string, values: readonly SqlValue[]) {
  return (session: WriteSession) => session.execute(sql, values);
}

function select(sql: string, values: readonly SqlValue[]) {
  return (session: WriteSession) => session.select(sql, values);
}
