import type { DataSource, QueryRunner } from 'typeorm';
import type { ActivityEntities } from './activity-entities.js';
import type { Database } from './database.js';
import { NoConnectionError } from './database-errors.js';
import { numbered } from './key-sql.js';
import { PostgresSession, type PostgresClient } from './postgres-session.js';
import { PreparedStatements } from './prepared-statements.js';
import { slotPlan } from './slot-plan.js';
import { SlotSql } from './slot-sql.js';
import type { SqlValue } from './sql-value.js';
import { TableGrowth } from './table-growth.js';
import { tablesOf, type Tables } from './tables.js';
import type { WriteBatch } from './write-batch.js';
import { NOBODY, runSteps, WritePlan, type Plan, type Step, type WriteOutcome } from './write-plan.js';

/** What is used of pg's pool. */
interface PostgresPool {
  connect(): Promise<PooledClient>;
  on(event: 'connect', listener: (client: PooledClient) => void): void;
  query(sql: string, values: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}
interface PooledClient extends PostgresClient {
  readonly connection: { readonly stream: { destroy(): void } };
  /** Whether statements are sent without waiting for the answers to those before them. */
  readonly pipeline?: boolean;
  on(event: 'error', listener: (error: unknown) => void): void;
  off(event: 'error', listener: (error: unknown) => void): void;
  /** @param destroy  true: the connection is closed, not kept. */
  release(destroy?: boolean): void;
}

const CHANGE_PATIENCE_MS = 1_000;
/**
 * What holds for this transaction only, also behind a pooler: how long a statement waits for a lock of somebody, and that
 * rows are found by their key, since those that are written are in memory.
 */
const BEGIN = 'BEGIN; SET LOCAL lock_timeout = 250; SET LOCAL enable_seqscan = off; SET LOCAL random_page_cost = 1';

/** PostgreSQL through pg, whose pool brings broken connections back by itself. */
export class PostgresDatabase implements Database {
  readonly greatest = 'GREATEST';
  readonly truth = 'TRUE';
  readonly now = '(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::int8';
  #tables: Tables | undefined;
  readonly #writing = new Set<PooledClient>();
  readonly #prepared = new PreparedStatements();
  readonly #growth = new TableGrowth(() => this.#analyze());

  constructor(
    readonly dataSource: DataSource,
    readonly entities: ActivityEntities,
    private readonly onIdleError: (error: unknown) => void,
  ) {}

  get tables(): Tables {
    return (this.#tables ??= tablesOf(this.dataSource, this.entities));
  }

  async open(): Promise<void> {
    if (this.dataSource.isInitialized) return;
    await this.dataSource.initialize();
    // One that is ended as soon as it is made says so before whoever has asked for it can listen: that would be a crash.
    this.#pool.on('connect', (client) => client.on('error', this.onIdleError));
  }

  async close(): Promise<void> {
    // A statement that is stuck behind somebody's lock would keep the pool from ending; and a client that sends without
    // waiting for answers would wait for all of them before it ends.
    for (const client of this.#writing) client.connection.stream.destroy();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  write(batch: WriteBatch, retried: boolean): Promise<WriteOutcome> {
    return this.#withClient(async (client) => {
      const session = this.#session(client);
      const slots = batch.slots && (await this.#begin(client, slotPlan(new SlotSql(this), batch.slots.keys, retried)));
      const plan = new WritePlan(batch, retried, slots);
      const results = await inOneTransaction(client, plan.steps, { session, hasBegun: slots !== undefined });
      this.#growth.grown(batch.inserts.length + (slots?.rows.length ?? 0));
      const unchanged = plan.unchanged(results);
      return plan.outcome(results, unchanged.length === 0 ? NOBODY : await session.standing(unchanged));
    });
  }

  transact<T>(plan: Plan<T>): Promise<T> {
    return this.#withClient(async (client) => {
      const result = await this.#begin(client, plan);
      await client.query('COMMIT');
      return result;
    });
  }

  /** Begins a transaction, and takes the first step of the plan with it. */
  async #begin<T>(client: PooledClient, plan: Plan<T>): Promise<T> {
    const session = this.#session(client);
    const first = plan.next();
    const begun = client.query(BEGIN);
    if (first.done) {
      await begun;
      return first.value;
    }
    // Nothing more is done where it could not begin.
    const [begin, step] = await Promise.allSettled([begun, first.value(session)]);
    if (begin.status === 'rejected') throw begin.reason;
    if (step.status === 'rejected') throw step.reason;
    return runSteps(plan, session, step.value);
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

  async lockedAmong(ids: readonly string[], limits: readonly string[] = []): Promise<ReadonlySet<string>> {
    const locked = await this.#lockedIn(this.tables.activities, 'id', `ANY($1::uuid[])`, ids);
    if (limits.length > 0) locked.push(...(await this.#lockedIn(this.tables.limits, 'key_hash', 'ANY($1)', limits)));
    return new Set(locked);
  }

  async #lockedIn(table: string, column: string, any: string, values: readonly string[]): Promise<string[]> {
    const { rows } = await this.#pool.query(
      `SELECT a.${column} AS id FROM ${table} a WHERE a.${column} = ${any} AND a.${column} NOT IN (` +
        `SELECT free.id FROM (SELECT ${column} AS id FROM ${table} WHERE ${column} = ${any} FOR UPDATE SKIP LOCKED) free)`,
      [values],
    );
    return rows.map(({ id }) => id as string);
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

  /** Whoever does not own the tables is refused with a warning of the server's, which changes nothing. */
  async #analyze(): Promise<void> {
    await this.#pool.query(`ANALYZE ${this.tables.activities}`, []);
    await this.#pool.query(`ANALYZE ${this.tables.messages}`, []);
  }

  get #pool(): PostgresPool {
    return (this.dataSource.driver as unknown as { master: PostgresPool }).master;
  }
}

/**
 * All that is between BEGIN and COMMIT, sent at once where the driver can: one round trip in place of one for each
 * statement. What follows one that fails, fails with it, and the COMMIT is then a ROLLBACK.
 */
async function inOneTransaction(
  client: PooledClient,
  steps: readonly Step[],
  { session, hasBegun }: { session: PostgresSession; hasBegun: boolean },
): Promise<unknown[]> {
  const begin = hasBegun ? [] : [() => client.query(BEGIN)];
  if (!client.pipeline) {
    for (const query of begin) await query();
    const results: unknown[] = [];
    for (const step of steps) results.push(await step(session));
    await client.query('COMMIT');
    return results;
  }
  const sent = [...begin.map((query) => query()), ...steps.map((step) => step(session)), client.query('COMMIT')];
  const answers = await Promise.allSettled(sent);
  // The first that failed says why.
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed) throw failed.reason;
  return answers.slice(begin.length, -1).map((answer) => (answer as PromiseFulfilledResult<unknown>).value);
}
