import { ACTIVE_STATUSES } from '../model/statuses.js';
import { MESSAGE_COLUMNS } from './activity-entities.js';
import type { KeyWrite } from './activity-keys.js';
import { takeKeySql } from './key-sql.js';
import type { SqlValue } from './sql-value.js';
import { statusList, type Tables } from './tables.js';
import { guard, setClause } from './update-sql.js';
import { INSERT_COLUMNS, type LinesInsert, type MessageRange } from './write.js';
import type { RowUpdate, UpdateGroup } from './write-batch.js';
import { standingOf, type Standing, type WriteSession } from './write-plan.js';

/** Rows of one `UPDATE`: its table of new values is a union, one branch for each. */
const MAX_UPDATE_ROWS = 200;
const MAX_STATEMENT_BYTES = 4_000_000;
const ACTIVE = statusList(ACTIVE_STATUSES);

/** A scan of the table, which it may prefer for many ids, would lock rows that nobody asked for, or wait for them. */
const BY_ID = 'FORCE INDEX (PRIMARY)';

/** Runs one statement on the connection of the session. */
export type MysqlQuery = (sql: string, values: readonly unknown[]) => Promise<unknown>;

interface Owned {
  activityId: string;
  ownerId: string;
  fence: number;
}

/**
 * Statements of many rows, sized by bytes. Who was first is never read from a count of affected rows, whose meaning
 * depends on flags of the connection: the rows are locked and looked at, then changed.
 */
export class MysqlSession implements WriteSession {
  readonly #query: MysqlQuery;
  readonly #tables: Tables;
  readonly #maxBytes: number;

  constructor(query: MysqlQuery, tables: Tables, maxPacket: number) {
    this.#query = query;
    this.#tables = tables;
    this.#maxBytes = Math.min(MAX_STATEMENT_BYTES, maxPacket - 10_000);
  }

  insertActivities(rows: readonly (readonly SqlValue[])[]): Promise<void> {
    return this.#insert(this.#tables.activities, INSERT_COLUMNS, rows);
  }

  async updateActivities(group: UpdateGroup): Promise<ReadonlySet<string>> {
    const rows = group.to ? await this.#lock(group) : group.rows;
    for (const own of bySameOwner(rows)) {
      for (const part of this.#parts(own, (row) => [row.id, ...row.values], MAX_UPDATE_ROWS)) {
        await this.#update(group, part);
      }
    }
    return new Set(rows.map(({ id }) => id));
  }

  async insertMessages(messages: readonly LinesInsert[]): Promise<void> {
    const live = await this.#live(messages);
    await this.#insert(
      this.#tables.messages,
      Object.keys(MESSAGE_COLUMNS),
      messages
        .filter((insertion) => live.has(keyOf(insertion)))
        .flatMap(({ activityId, lines }) => lines.map((line) => [activityId, ...line])),
    );
  }

  async deleteMessages(ranges: readonly MessageRange[]): Promise<void> {
    const live = await this.#live(ranges);
    for (const range of ranges) {
      if (!live.has(keyOf(range))) continue;
      await this.#query(`DELETE FROM ${this.#tables.messages} WHERE activity_id = ? AND seq BETWEEN ? AND ?`, [
        range.activityId,
        range.fromSeq,
        range.toSeq,
      ]);
    }
  }

  async standing(ids: readonly string[]): Promise<ReadonlyMap<string, Standing>> {
    // A locking read sees what is committed now, not what the transaction saw when it began.
    const rows = await this.#query(
      `SELECT id, status, owner_id, fence, created_at, started_at, ended_at FROM ${this.#tables.activities} ${BY_ID} ` +
        'WHERE id IN (?) FOR UPDATE',
      [ids],
    );
    return new Map((rows as Record<string, unknown>[]).map((row) => [row.id as string, standingOf(row)]));
  }

  /** Counted by itself too: of one row that is there or not, and really changed, every flag gives the same count. */
  async takeKey(key: KeyWrite): Promise<boolean> {
    const { sql, values } = takeKeySql(this.#tables.keys, key);
    const statement = key.from === null ? sql.replace('INSERT', 'INSERT IGNORE') : sql;
    return (await this.execute(statement, values)) === 1;
  }

  async select(sql: string, values: readonly SqlValue[]): Promise<Record<string, unknown>[]> {
    return (await this.#query(sql, values)) as Record<string, unknown>[];
  }

  async execute(sql: string, values: readonly SqlValue[]): Promise<number> {
    return ((await this.#query(sql, values)) as { affectedRows: number }).affectedRows;
  }

  async #update(group: UpdateGroup, rows: readonly RowUpdate[]): Promise<void> {
    const { columns } = group;
    const own = (column: string) => `a.\`${column}\``;
    const set = setClause(group, {
      quote: own,
      own,
      value: (column) => `v.\`new_${column}\``,
      greatest: 'GREATEST',
    });
    const first = ['id', ...columns.map((column) => `new_${column}`)].map((name) => `? AS \`${name}\``).join(', ');
    const others = rows.slice(1).map(() => ` UNION ALL SELECT ${['id', ...columns].map(() => '?').join(', ')}`);
    const { ownerId, fence } = rows[0]!;
    await this.#query(
      // The id is compared in its own character set, else its index would not be used.
      `UPDATE ${this.#tables.activities} AS a ${BY_ID} JOIN (SELECT ${first}${others.join('')}) AS v ` +
        `ON a.id = CONVERT(v.id USING ascii) COLLATE ascii_bin SET ${set} ` +
        `WHERE a.owner_id = ? AND a.fence = ? AND ${guard(group, own)}`,
      [...rows.flatMap(({ id, values }) => [id, ...values]), ownerId, fence],
    );
  }

  /** The rows of a group that may change their status, locked until the transaction ends. */
  async #lock(group: UpdateGroup): Promise<RowUpdate[]> {
    const found = await this.#query(
      `SELECT id, owner_id, fence FROM ${this.#tables.activities} ${BY_ID} WHERE id IN (?) AND ` +
        `${guard(group, (column) => `\`${column}\``)} FOR UPDATE`,
      [group.rows.map(({ id }) => id)],
    );
    const owned = keysOf(found);
    return group.rows.filter((row) => owned.has(keyOf({ ...row, activityId: row.id })));
  }

  /** Locked too: what is deleted at this moment is to leave no lines behind. */
  async #live(rows: readonly Owned[]): Promise<ReadonlySet<string>> {
    const ids = [...new Set(rows.map(({ activityId }) => activityId))];
    const found = await this.#query(
      `SELECT id, owner_id, fence FROM ${this.#tables.activities} ${BY_ID} WHERE id IN (?) AND status IN (${ACTIVE}) FOR UPDATE`,
      [ids],
    );
    return keysOf(found);
  }

  /** Leaves a row alone that is there; `INSERT IGNORE` would leave alone, and lose, what cannot be stored as well. */
  async #insert(table: string, columns: readonly string[], rows: readonly (readonly SqlValue[])[]): Promise<void> {
    const names = columns.map((column) => `\`${column}\``).join(', ');
    for (const part of this.#parts(rows, (row) => row)) {
      await this.#query(
        `INSERT INTO ${table} (${names}) VALUES ? ON DUPLICATE KEY UPDATE \`${columns[0]}\` = ${table}.\`${columns[0]}\``,
        [part],
      );
    }
  }

  #parts<T>(rows: readonly T[], valuesOf: (row: T) => readonly SqlValue[], maxRows = Infinity): T[][] {
    const parts: T[][] = [];
    let bytes = Infinity;
    for (const row of rows) {
      const size = bytesOf(valuesOf(row));
      const part = parts.at(-1);
      if (part && bytes + size <= this.#maxBytes && part.length < maxRows) {
        part.push(row);
        bytes += size;
      } else {
        parts.push([row]);
        bytes = size;
      }
    }
    return parts;
  }
}

function bySameOwner(rows: readonly RowUpdate[]): RowUpdate[][] {
  const groups = new Map<string, RowUpdate[]>();
  for (const row of rows) {
    const key = `${row.fence}:${row.ownerId}`;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()];
}

function keyOf({ activityId, ownerId, fence }: Owned): string {
  return `${activityId}:${fence}:${ownerId}`;
}

function keysOf(rows: unknown): ReadonlySet<string> {
  return new Set(
    (rows as { id: string; owner_id: string; fence: unknown }[]).map(({ id, owner_id: ownerId, fence }) =>
      keyOf({ activityId: id, ownerId, fence: Number(fence) }),
    ),
  );
}

/** At most so many: escaping may double a text. */
function bytesOf(values: readonly SqlValue[]): number {
  let bytes = 20;
  for (const value of values) bytes += typeof value === 'string' ? 2 * Buffer.byteLength(value) + 4 : 24;
  return bytes;
}
