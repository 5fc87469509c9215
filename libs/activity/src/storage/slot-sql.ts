import type { Database } from './database.js';
import { execute, inParts, marks, select, type Question } from './plan-questions.js';
import { toNumber, toNumberOrNull, toTextOrNull, type SqlValue } from './sql-value.js';

/** A limit, locked: nobody else changes its line until the transaction ends. */
export interface LimitRow {
  /** As calls have said it last. */
  max: number;
  /** As somebody has set it; null: as calls say. */
  setMax: number | null;
  served: number;
  lastScope: string | null;
  /** How many have ever waited. */
  arrivals: number;
  /** The database's time. */
  now: number;
}

export interface SlotRow {
  activityId: string;
  scope: string;
  /** Of the first of its scope that waits, else null. */
  turn: number | null;
  isHeld: boolean;
}

export interface HeadRow {
  activityId: string;
  ownerId: string;
  scope: string;
  turn: number;
  place: number;
}

export interface NewSlot {
  activityId: string;
  hash: string;
  scope: string;
  ownerId: string;
  enteredAt: number;
  place: number;
  turn: number | null;
  heldAt: number | null;
}

const SLOT_COLUMNS = ['activity_id', 'key_hash', 'scope', 'owner_id', 'entered_at', 'place', 'turn', 'held_at'];

/** Statements on limits and their slots. Those who change anything hold the lock of the limit. */
export class SlotSql {
  readonly #limits: string;
  readonly #slots: string;
  readonly #activities: string;
  readonly #now: string;
  readonly #greatest: string;
  readonly #type: 'sqlite' | 'postgres' | 'mysql';

  constructor({ dataSource, tables, now, greatest }: Pick<Database, 'dataSource' | 'tables' | 'now' | 'greatest'>) {
    const { type } = dataSource.options;
    this.#type = type === 'better-sqlite3' ? 'sqlite' : type === 'postgres' ? 'postgres' : 'mysql';
    this.#limits = tables.limits;
    this.#slots = tables.slots;
    this.#activities = tables.activities;
    this.#now = now;
    this.#greatest = greatest;
  }

  lock(hash: string): Question<LimitRow | undefined> {
    const sql =
      `SELECT max_slots, set_max, served, last_scope, arrivals, ${this.#now} AS now FROM ${this.#limits} ` +
      `WHERE key_hash = ?${this.#forUpdate}`;
    return select(sql, [hash], ([row]) => row && limitOf(row));
  }

  /** Does nothing where another process has been quicker. */
  make(hash: string, key: string, max: number): Question<unknown> {
    const insert = `INTO ${this.#limits} (key_hash, limit_key, max_slots) VALUES (?, ?, ?)`;
    const sql = this.#type === 'mysql' ? `INSERT IGNORE ${insert}` : `INSERT ${insert} ON CONFLICT DO NOTHING`;
    return execute(sql, [hash, key, max]);
  }

  save(hash: string, { max, setMax, served, lastScope, arrivals }: Omit<LimitRow, 'now'>): Question<unknown> {
    return execute(
      `UPDATE ${this.#limits} SET max_slots = ?, set_max = ?, served = ?, last_scope = ?, arrivals = ? WHERE key_hash = ?`,
      [max, setMax, served, lastScope, arrivals, hash],
    );
  }

  rowsOf(ids: readonly string[]): Question<SlotRow[][]> {
    const hint = this.#type === 'mysql' ? ' FORCE INDEX (PRIMARY)' : '';
    return inParts(ids, (part) =>
      select(
        `SELECT activity_id, scope, turn, held_at FROM ${this.#slots}${hint} WHERE activity_id IN (${marks(part)})`,
        part,
        (rows) => rows.map(slotOf),
      ),
    );
  }

  delete(ids: readonly string[]): Question<unknown[]> {
    // A scan, which MariaDB may prefer for a small table, would wait for slots of other keys.
    const from =
      this.#type === 'mysql'
        ? `DELETE s FROM ${this.#slots} AS s FORCE INDEX (PRIMARY) WHERE s.activity_id`
        : `DELETE FROM ${this.#slots} WHERE activity_id`;
    return inParts(ids, (part) => execute(`${from} IN (${marks(part)})`, part));
  }

  heldCount(hash: string): Question<number> {
    const sql = `SELECT COUNT(*) AS n FROM ${this.#slots} WHERE key_hash = ? AND held_at IS NOT NULL`;
    return select(sql, [hash], ([row]) => toNumber(row?.n));
  }

  /** The first of each scope that waits. */
  heads(hash: string): Question<HeadRow[]> {
    const sql = `SELECT activity_id, owner_id, scope, turn, place FROM ${this.#slots} WHERE key_hash = ? AND turn IS NOT NULL`;
    return select(sql, [hash], (rows) => rows.map(headOf));
  }

  /** Who follows the first of a scope. */
  second(hash: string, scope: string): Question<Omit<HeadRow, 'turn'> | undefined> {
    const sql =
      `SELECT activity_id, owner_id, scope, place FROM ${this.#slots} ` +
      'WHERE key_hash = ? AND scope = ? AND held_at IS NULL AND turn IS NULL ORDER BY place LIMIT 1';
    return select(sql, [hash, scope], ([row]) => row && headOf(row));
  }

  /** How many of each scope wait. */
  waitingCounts(hash: string): Question<Map<string, number>> {
    const sql = `SELECT scope, COUNT(*) AS n FROM ${this.#slots} WHERE key_hash = ? AND held_at IS NULL GROUP BY scope`;
    return select(sql, [hash], (rows) => new Map(rows.map(({ scope, n }) => [scope as string, toNumber(n)])));
  }

  insert(slots: readonly NewSlot[]): Question<unknown[]> {
    return inParts(slots, (part) => {
      const rows = part.map(() => `(${marks(SLOT_COLUMNS)})`).join(', ');
      const values = part.flatMap((slot): SqlValue[] => [
        slot.activityId,
        slot.hash,
        slot.scope,
        slot.ownerId,
        slot.enteredAt,
        slot.place,
        slot.turn,
        slot.heldAt,
      ]);
      return execute(`INSERT INTO ${this.#slots} (${SLOT_COLUMNS.join(', ')}) VALUES ${rows}`, values);
    });
  }

  setTurn(id: string, turn: number): Question<unknown> {
    return execute(`UPDATE ${this.#slots} SET turn = ? WHERE activity_id = ?`, [turn, id]);
  }

  setHeld(id: string, at: number): Question<unknown> {
    return execute(`UPDATE ${this.#slots} SET held_at = ?, turn = NULL WHERE activity_id = ?`, [at, id]);
  }

  /**
   * Locks the row of one that is to start, if it still waits and nobody else has it locked: a lock of somebody must not
   * keep all the others waiting.
   */
  lockQueued(id: string): Question<boolean> {
    const lock = this.#type === 'sqlite' ? '' : ' FOR UPDATE SKIP LOCKED';
    const sql = `SELECT id FROM ${this.#activities} WHERE id = ? AND status = 'queued'${lock}`;
    return select(sql, [id], (rows) => rows.length > 0);
  }

  statusOf(id: string): Question<string | null> {
    return select(`SELECT status FROM ${this.#activities} WHERE id = ?`, [id], ([row]) => toTextOrNull(row?.status));
  }

  /** `queued → running`, by the database's clock: its owner writes its own time when it hears of it. */
  start(id: string): Question<unknown> {
    const now = this.#now;
    return execute(
      `UPDATE ${this.#activities} SET started_at = ${this.#greatest}(${now}, created_at)` +
        `, updated_at = ${this.#greatest}(${now}, updated_at), version = version + 1, status = 'running' ` +
        `WHERE id = ? AND status = 'queued'`,
      [id],
    );
  }

  get #forUpdate(): string {
    return this.#type === 'sqlite' ? '' : ' FOR UPDATE';
  }
}

function limitOf(row: Record<string, unknown>): LimitRow {
  return {
    max: toNumber(row.max_slots),
    setMax: toNumberOrNull(row.set_max),
    served: toNumber(row.served),
    lastScope: toTextOrNull(row.last_scope),
    arrivals: toNumber(row.arrivals),
    now: toNumber(row.now),
  };
}

function slotOf(row: Record<string, unknown>): SlotRow {
  return {
    activityId: row.activity_id as string,
    scope: row.scope as string,
    turn: toNumberOrNull(row.turn),
    isHeld: row.held_at !== null,
  };
}

function headOf(row: Record<string, unknown>): HeadRow {
  return {
    activityId: row.activity_id as string,
    ownerId: row.owner_id as string,
    scope: row.scope as string,
    turn: toNumber(row.turn),
    place: toNumber(row.place),
  };
}
