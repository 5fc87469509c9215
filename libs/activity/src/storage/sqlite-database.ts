import type { DataSource, QueryRunner } from 'typeorm';
import { ACTIVE_STATUSES } from '../model/statuses.js';
import { MESSAGE_COLUMNS, type ActivityEntities } from './activity-entities.js';
import type { KeyWrite } from './activity-keys.js';
import type { Database } from './database.js';
import { takeKeySql } from './key-sql.js';
import { slotPlan } from './slot-plan.js';
import { SlotSql } from './slot-sql.js';
import type { SqlValue } from './sql-value.js';
import { statusList, tablesOf, type Tables } from './tables.js';
import { guard, setClause } from './update-sql.js';
import { INSERT_COLUMNS, insertedPlaces, type LinesInsert, type MessageRange } from './write.js';
import type { UpdateGroup, WriteBatch } from './write-batch.js';
import {
  FEW_VALUES,
  NOBODY,
  runNow,
  standingOf,
  WritePlan,
  type Plan,
  type Standing,
  type WriteOutcome,
  type WriteSession,
} from './write-plan.js';

/** What is used of better-sqlite3's handle. */
interface SqliteHandle {
  readonly inTransaction: boolean;
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  pragma(sql: string): unknown;
}
interface SqliteStatement {
  run(...values: (SqlValue | SqlValue[])[]): { changes: number };
  get(...values: SqlValue[]): Record<string, unknown> | undefined;
  all(...values: SqlValue[]): Record<string, unknown>[];
}

/** Lines of one statement: a call of the driver costs half as much as a short line. */
const LINES_AT_ONCE = 32;
const LINE_WIDTH = Object.keys(MESSAGE_COLUMNS).length;

/**
 * SQLite through better-sqlite3. A batch is one synchronous transaction on the driver's own handle: nothing of this
 * process can come in between, and a file that another connection has locked fails at once (`timeout: 0`) in place of
 * freezing the event loop.
 */
export class SqliteDatabase implements Database, WriteSession {
  readonly greatest = 'MAX';
  readonly truth = '1';
  readonly now = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";
  readonly #statements = new Map<string, SqliteStatement>();
  #tables: Tables | undefined;
  #migrating: Promise<void> | undefined;

  constructor(
    readonly dataSource: DataSource,
    readonly entities: ActivityEntities,
  ) {}

  get tables(): Tables {
    return (this.#tables ??= tablesOf(this.dataSource, this.entities));
  }

  async open(): Promise<void> {
    if (!this.dataSource.isInitialized) await this.dataSource.initialize();
    // What the app's `prepareDatabase` may have set for its own connection: waiting would freeze the event loop, and an
    // exclusive lock would keep the app out.
    this.#handle.pragma('busy_timeout = 0');
    this.#handle.pragma('locking_mode = NORMAL');
    // In rollback-journal mode a reader of the app would keep us from committing. A memory database has no WAL.
    this.#handle.pragma('journal_mode = WAL');
  }

  async close(): Promise<void> {
    this.#statements.clear();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  async write(batch: WriteBatch, retried: boolean): Promise<WriteOutcome> {
    while (this.#migrating) await this.#migrating;
    return this.#transaction(() => {
      const slots = batch.slots && runNow(slotPlan(new SlotSql(this), batch.slots.keys, retried), this);
      const plan = new WritePlan(batch, retried, slots);
      const results = plan.steps.map((step) => step(this));
      const unchanged = plan.unchanged(results);
      return plan.outcome(results, unchanged.length === 0 ? NOBODY : this.standing(unchanged));
    });
  }

  /** SQLite locks the file, never a row. */
  lockedAmong(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set());
  }

  async transact<T>(plan: Plan<T>): Promise<T> {
    while (this.#migrating) await this.#migrating;
    return this.#transaction(() => runNow(plan, this));
  }

  async change(sql: string, values: readonly SqlValue[]): Promise<number> {
    while (this.#migrating) await this.#migrating;
    return this.#statement(sql).run(...values).changes;
  }

  async migrate(work: (queryRunner: QueryRunner) => Promise<void>): Promise<void> {
    while (this.#migrating) await this.#migrating;
    const migration = this.#migrate(work);
    // Those who only wait for their turn do not fail with it.
    this.#migrating = migration.catch(() => undefined).finally(() => (this.#migrating = undefined));
    await migration;
  }

  async #migrate(work: (queryRunner: QueryRunner) => Promise<void>): Promise<void> {
    const handle = this.#handle;
    // Outside the transaction, where alone it has an effect: a rebuilt table must not take along what refers to it.
    handle.pragma('foreign_keys = OFF');
    try {
      handle.exec('BEGIN IMMEDIATE');
      await work(this.dataSource.createQueryRunner());
      handle.exec('COMMIT');
    } finally {
      if (handle.inTransaction) handle.exec('ROLLBACK');
      handle.pragma('foreign_keys = ON');
    }
  }

  insertActivities(rows: readonly (readonly SqlValue[])[]): void {
    const places = insertedPlaces(rows);
    const columns = places.map((place) => INSERT_COLUMNS[place]!);
    const insert = this.#statement(
      `INSERT INTO ${this.tables.activities} (${quoted(columns)}) VALUES (${marks(columns)}) ON CONFLICT DO NOTHING`,
    );
    for (const row of rows) insert.run(...places.map((place) => row[place]!));
  }

  updateActivities(group: UpdateGroup): ReadonlySet<string> {
    const update = this.#statement(
      `UPDATE ${this.tables.activities} SET ` +
        setClause(group, { quote, own: quote, value: () => '?', greatest: this.greatest }) +
        ` WHERE id = ? AND owner_id = ? AND fence = ? AND ${guard(group, quote)}`,
    );
    const changed = new Set<string>();
    for (const { id, ownerId, fence, values } of group.rows) {
      if (update.run(...values, id, ownerId, fence).changes > 0) changed.add(id);
    }
    return changed;
  }

  insertMessages(messages: readonly LinesInsert[]): void {
    const several = this.#insertLines(LINES_AT_ONCE);
    const isLive = this.#liveness();
    let values: SqlValue[] = [];
    for (const insertion of messages) {
      if (!isLive(insertion)) continue;
      const { activityId } = insertion;
      for (const [seq, at, level, text, source, step] of insertion.lines) {
        values.push(activityId, seq, at, level, text, source, step);
        if (values.length < LINES_AT_ONCE * LINE_WIDTH) continue;
        several.run(values);
        values = [];
      }
    }
    const one = this.#insertLines(1);
    for (let at = 0; at < values.length; at += LINE_WIDTH) one.run(values.slice(at, at + LINE_WIDTH));
  }

  #insertLines(count: number): SqliteStatement {
    const columns = Object.keys(MESSAGE_COLUMNS);
    const rows = Array.from({ length: count }, () => `(${marks(columns)})`).join(', ');
    return this.#statement(
      `INSERT INTO ${this.tables.messages} (${quoted(columns)}) VALUES ${rows} ON CONFLICT DO NOTHING`,
    );
  }

  deleteMessages(ranges: readonly MessageRange[]): void {
    const remove = this.#statement(`DELETE FROM ${this.tables.messages} WHERE activity_id = ? AND seq BETWEEN ? AND ?`);
    const isLive = this.#liveness();
    for (const range of ranges) if (isLive(range)) remove.run(range.activityId, range.fromSeq, range.toSeq);
  }

  standing(ids: readonly string[]): ReadonlyMap<string, Standing> {
    const select = this.#statement(
      `SELECT status, owner_id, fence, created_at, started_at, ended_at FROM ${this.tables.activities} WHERE id = ?`,
    );
    const found = new Map<string, Standing>();
    for (const id of ids) {
      const row = select.get(id);
      if (row) found.set(id, standingOf(row));
    }
    return found;
  }

  takeKey(key: KeyWrite): boolean {
    const { sql, values } = takeKeySql(this.tables.keys, key);
    const statement = this.#statement(key.from === null ? `${sql} ON CONFLICT DO NOTHING` : sql);
    return statement.run(...values).changes === 1;
  }

  select(sql: string, values: readonly SqlValue[]): Record<string, unknown>[] {
    return this.#short(sql, values).all(...values);
  }

  execute(sql: string, values: readonly SqlValue[]): number {
    return this.#short(sql, values).run(...values).changes;
  }

  #short(sql: string, values: readonly SqlValue[]): SqliteStatement {
    return values.length <= FEW_VALUES ? this.#statement(sql) : this.#handle.prepare(sql);
  }

  /** Asked once for each activity of a batch: a look-up for each line would cost as much as the line. */
  #liveness(): (of: { activityId: string; ownerId: string; fence: number }) => boolean {
    const select = this.#statement(
      `SELECT 1 FROM ${this.tables.activities} WHERE id = ? AND owner_id = ? AND fence = ? ` +
        `AND status IN (${statusList(ACTIVE_STATUSES)})`,
    );
    const known = new Map<string, boolean>();
    return ({ activityId, ownerId, fence }) => {
      const key = `${activityId}:${fence}:${ownerId}`;
      let live = known.get(key);
      if (live === undefined) known.set(key, (live = select.get(activityId, ownerId, fence) !== undefined));
      return live;
    };
  }

  #transaction<T>(work: () => T): T {
    const handle = this.#handle;
    handle.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      handle.exec('COMMIT');
      return result;
    } catch (error) {
      if (handle.inTransaction) handle.exec('ROLLBACK');
      throw error;
    }
  }

  #statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#handle.prepare(sql)));
    return statement;
  }

  get #handle(): SqliteHandle {
    return (this.dataSource.driver as unknown as { databaseConnection: SqliteHandle }).databaseConnection;
  }
}

function quote(column: string): string {
  return `"${column}"`;
}

function quoted(columns: readonly string[]): string {
  return columns.map(quote).join(', ');
}

function marks(columns: readonly string[]): string {
  return columns.map(() => '?').join(', ');
}
