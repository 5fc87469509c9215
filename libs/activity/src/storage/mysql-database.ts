import { createHash } from 'node:crypto';
import type { DataSource, QueryRunner } from 'typeorm';
import type { ActivityEntities } from './activity-entities.js';
import type { Database } from './database.js';
import { NoConnectionError } from './database-errors.js';
import { MysqlSession, type MysqlQuery } from './mysql-session.js';
import { slotPlan } from './slot-plan.js';
import { SlotSql } from './slot-sql.js';
import type { SqlValue } from './sql-value.js';
import { tablesOf, type Tables } from './tables.js';
import type { WriteBatch } from './write-batch.js';
import { NOBODY, runSteps, WritePlan, type Plan, type WriteOutcome } from './write-plan.js';

type Callback<T> = (error: Error | null, result: T) => void;
/** What is used of mysql2's pool. */
interface MysqlPool {
  getConnection(callback: Callback<MysqlConnection>): void;
}
interface MysqlConnection {
  query(sql: string, values: readonly unknown[], callback: Callback<unknown>): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  off(event: 'error', listener: (error: unknown) => void): void;
  release(): void;
  destroy(): void;
}

/** A day: whoever waits for the lock waits for another process's migration. */
const LOCK_PATIENCE_S = 86_400;

/** MariaDB and MySQL through mysql2. */
export class MysqlDatabase implements Database {
  readonly greatest = 'GREATEST';
  readonly truth = 'TRUE';
  // Not by the session's time zone, whose summer time ends with an hour that comes twice.
  readonly now = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)";
  #tables: Tables | undefined;
  readonly #busy = new Set<MysqlConnection>();
  /** Connections whose session is set up, with the most bytes that the server takes in one packet. */
  readonly #packets = new WeakMap<MysqlConnection, number>();

  constructor(
    readonly dataSource: DataSource,
    readonly entities: ActivityEntities,
    private readonly onIdleError: (error: unknown) => void,
  ) {}

  get tables(): Tables {
    return (this.#tables ??= tablesOf(this.dataSource, this.entities));
  }

  async open(): Promise<void> {
    if (!this.dataSource.isInitialized) await this.dataSource.initialize();
  }

  async close(): Promise<void> {
    // A statement that is stuck behind somebody's lock would keep the pool from ending.
    for (const connection of this.#busy) connection.destroy();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  write(batch: WriteBatch, retried: boolean): Promise<WriteOutcome> {
    return this.#transaction(async (session) => {
      const slots = batch.slots && (await runSteps(slotPlan(new SlotSql(this), batch.slots.keys, retried), session));
      const plan = new WritePlan(batch, retried, slots);
      const results: unknown[] = [];
      for (const step of plan.steps) results.push(await step(session));
      const unchanged = plan.unchanged(results);
      return plan.outcome(results, unchanged.length === 0 ? NOBODY : await session.standing(unchanged));
    });
  }

  lockedAmong(ids: readonly string[], limits: readonly string[] = []): Promise<ReadonlySet<string>> {
    return this.#withConnection(async (query) => {
      const locked = await lockedIn(query, `${this.tables.activities} FORCE INDEX (PRIMARY)`, {
        column: 'id',
        values: ids,
      });
      if (limits.length === 0) return locked;
      const place = `${this.tables.limits} FORCE INDEX (PRIMARY)`;
      return new Set([...locked, ...(await lockedIn(query, place, { column: 'key_hash', values: limits }))]);
    });
  }

  transact<T>(plan: Plan<T>): Promise<T> {
    return this.#transaction((session) => runSteps(plan, session));
  }

  #transaction<T>(work: (session: MysqlSession) => Promise<T>): Promise<T> {
    return this.#withConnection(async (query, maxPacket) => {
      await query('START TRANSACTION', []);
      const result = await work(new MysqlSession(query, this.tables, maxPacket));
      await query('COMMIT', []);
      return result;
    });
  }

  change(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.#withConnection(async (query) => ((await query(sql, values)) as { affectedRows: number }).affectedRows);
  }

  /** Statements that change tables commit by themselves here, so the lock is the connection's, and is taken first. */
  async migrate(work: (queryRunner: QueryRunner) => Promise<void>): Promise<void> {
    const queryRunner = this.dataSource.createQueryRunner('master');
    const place = `${String(this.dataSource.driver.database)} ${this.tables.activities}`;
    const lock = `nestjs-activity ${createHash('sha256').update(place).digest('hex').slice(0, 32)}`;
    try {
      await queryRunner.query('SELECT GET_LOCK(?, ?)', [lock, LOCK_PATIENCE_S]);
      await work(queryRunner);
    } finally {
      await queryRunner.query('SELECT RELEASE_LOCK(?)', [lock]).catch(() => undefined);
      await queryRunner.release();
    }
  }

  async #withConnection<T>(work: (query: MysqlQuery, maxPacket: number) => Promise<T>): Promise<T> {
    const connection = await new Promise<MysqlConnection>((resolve, reject) =>
      this.#pool.getConnection((error, taken) => (error ? reject(new NoConnectionError(error)) : resolve(taken))),
    );
    const query: MysqlQuery = (sql, values) =>
      new Promise((resolve, reject) =>
        connection.query(sql, values, (error, result) => (error ? reject(error) : resolve(result))),
      );
    connection.on('error', this.onIdleError);
    this.#busy.add(connection);
    try {
      const result = await work(query, await this.#setUp(connection, query));
      connection.release();
      return result;
    } catch (error) {
      await query('ROLLBACK', []).then(
        () => connection.release(),
        () => connection.destroy(),
      );
      throw error;
    } finally {
      this.#busy.delete(connection);
      connection.off('error', this.onIdleError);
    }
  }

  /** mysql2 escapes values with backslashes, so a mode of the server's that gives them no meaning must not hold. */
  async #setUp(connection: MysqlConnection, query: MysqlQuery): Promise<number> {
    const known = this.#packets.get(connection);
    if (known !== undefined) return known;
    await query(`SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'`, []);
    // A row that somebody has locked must not keep the others waiting; a second is the least that it knows.
    await query('SET SESSION innodb_lock_wait_timeout = 1', []);
    const [row] = (await query('SELECT @@max_allowed_packet AS bytes', [])) as { bytes: unknown }[];
    const bytes = Number(row?.bytes);
    this.#packets.set(connection, bytes);
    return bytes;
  }

  get #pool(): MysqlPool {
    return (this.dataSource.driver as unknown as { pool: MysqlPool }).pool;
  }
}

async function lockedIn(
  query: MysqlQuery,
  table: string,
  { column, values }: { column: string; values: readonly string[] },
): Promise<Set<string>> {
  const those = `SELECT ${column} AS id FROM ${table} WHERE ${column} IN (?)`;
  const there = (await query(those, [values])) as { id: string }[];
  const free = (await query(`${those} FOR UPDATE SKIP LOCKED`, [values])) as { id: string }[];
  const locked = new Set(there.map(({ id }) => id));
  for (const { id } of free) locked.delete(id);
  return locked;
}
