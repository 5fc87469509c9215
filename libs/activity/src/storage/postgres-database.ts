import type { DataSource, QueryRunner } from 'typeorm';
import type { ActivityEntities } from './activity-entities.js';
import type { Database } from './database.js';
import { NoConnectionError } from './database-errors.js';
import { numbered } from './key-sql.js';
import { PostgresSession, type PostgresClient } from './postgres-session.js';
import { PreparedStatements } from './prepared-statements.js';
import type { SqlValue } from './sql-value.js';
import { tablesOf, type Tables } from './tables.js';
import { statementsOf, type WriteBatch } from './write-batch.js';
import { runSteps, writePlan, type Plan, type WriteOutcome } from './write-plan.js';

/** What is used of pg's pool. */
interface PostgresPool {
  connect(): Promise<PooledClient>;
  query(sql: string, values: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}
interface PooledClient extends PostgresClient {
  on(event: 'error', listener: (error: unknown) => void): void;
  off(event: 'error', listener: (error: unknown) => void): void;
  end(): Promise<void>;
  /** @param destroy  true: the connection is closed, not kept. */
  release(destroy?: boolean): void;
}

const CHANGE_PATIENCE_MS = 1_000;

/** PostgreSQL through pg, whose pool brings broken connections back by itself. */
export class PostgresDatabase implements Database {
  readonly greatest = 'GREATEST';
  readonly truth = 'TRUE';
  readonly now = '(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::int8';
  #tables: Tables | undefined;
  readonly #writing = new Set<PooledClient>();
  readonly #prepared = new PreparedStatements();

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
    for (const client of this.#writing) void client.end();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  write(batch: WriteBatch, retried: boolean): Promise<WriteOutcome> {
    const plan = writePlan(batch, retried);
    // A statement is a transaction by itself: without ours around it, a single caller waits for one round trip, not three.
    if (statementsOf(batch) === 1) return this.#withClient((client) => runSteps(plan, this.#session(client)));
    return this.transact(plan);
  }

  transact<T>(plan: Plan<T>): Promise<T> {
    return this.#withClient(async (client) => {
      await client.query('BEGIN');
      const result = await runSteps(plan, this.#session(client));
      await client.query('COMMIT');
      return result;
    });
  }

  async #withClient<T>(work: (client: PooledClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw new NoConnectionError(error);
    });
    // A connection that breaks between two statements tells it by this event only; without a listener it is a crash.
    client.on('error', this.onIdleError);
    this.#writing.add(client);
    let isBroken = false;
    try {
      return await work(client);
    } catch (error) {
      isBroken = await client.query('ROLLBACK').then(
        () => false,
        () => true,
      );
      if (this.#prepared.areLost(error)) throw new NoConnectionError(error);
      throw error;
    } finally {
      this.#writing.delete(client);
      client.off('error', this.onIdleError);
      client.release(isBroken);
    }
  }

  #session(client: PooledClient): PostgresSession {
    return new PostgresSession(client, this.tables, this.#prepared);
  }

  async lockedAmong(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const { rows } = await this.#pool.query(
      `SELECT a.id FROM ${this.tables.activities} a WHERE a.id = ANY($1::uuid[]) AND a.id NOT IN (` +
        `SELECT free.id FROM (SELECT id FROM ${this.tables.activities} WHERE id = ANY($1::uuid[]) FOR UPDATE SKIP LOCKED) free)`,
      [ids],
    );
    return new Set(rows.map(({ id }) => id as string));
  }

  /** Not for longer than a lock is worth: the few connections are for all. */
  change(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.#withClient(async (client) => {
      await client.query(`BEGIN; SET LOCAL lock_timeout = ${CHANGE_PATIENCE_MS}`);
      const { rowCount } = await client.query({ text: numbered(sql), values });
      await client.query('COMMIT');
      return rowCount ?? 0;
    });
  }

  async migrate(work: (queryRunner: QueryRunner) => Promise<void>): Promise<void> {
    const queryRunner = this.dataSource.createQueryRunner('master');
    try {
      await queryRunner.startTransaction();
      // The app may have set a limit for its statements; another process may migrate for longer than that.
      await queryRunner.query(`SET LOCAL statement_timeout = 0`);
      await queryRunner.query(`SET LOCAL lock_timeout = 0`);
      await queryRunner.query(`SELECT pg_advisory_xact_lock(hashtext($1))`, [
        `nestjs-activity ${this.tables.activities}`,
      ]);
      await work(queryRunner);
      await queryRunner.commitTransaction();
    } catch (error) {
      if (queryRunner.isTransactionActive) await queryRunner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await queryRunner.release();
    }
  }

  get #pool(): PostgresPool {
    return (this.dataSource.driver as unknown as { master: PostgresPool }).master;
  }
}
