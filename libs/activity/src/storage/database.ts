import type { DataSource, QueryRunner } from 'typeorm';
import type { ActivityEntities } from './activity-entities.js';
import type { Tables } from './tables.js';
import type { SqlValue } from './sql-value.js';
import type { WriteBatch } from './write-batch.js';
import type { Plan, WriteOutcome } from './write-plan.js';

/**
 * One dialect on the tracker's own connection. Nothing here tries again: errors are the driver's, and whoever calls
 * decides.
 */
export interface Database {
  readonly dataSource: DataSource;
  readonly entities: ActivityEntities;
  /** Known once it is open. */
  readonly tables: Tables;
  /** Connects; may be called again after it failed. */
  open(): Promise<void>;
  close(): Promise<void>;
  /**
   * Writes a batch in one transaction.
   * @param retried  it may have been committed before: see `WritePlan`.
   */
  write(batch: WriteBatch, retried: boolean): Promise<WriteOutcome>;
  /** Which of these activities, and limits by their hash, somebody else has locked at this moment. */
  lockedAmong(ids: readonly string[], limits?: readonly string[]): Promise<ReadonlySet<string>>;
  /** Runs a plan in one transaction, which an error of the plan rolls back. */
  transact<T>(plan: Plan<T>): Promise<T>;
  /**
   * One statement of its own, with `?` for each value.
   * @returns how many rows it found: to be trusted where each of them is really changed, as by `version + 1`.
   */
  change(sql: string, values: readonly SqlValue[]): Promise<number>;
  /** Runs `work` while no other process migrates, on a runner that holds the lock. */
  migrate(work: (queryRunner: QueryRunner) => Promise<void>): Promise<void>;
  /** The function that gives the greater of two numbers. */
  readonly greatest: 'MAX' | 'GREATEST';
  /** The database's own time, in milliseconds since 1970: the one clock that all processes share. */
  readonly now: string;
  /** How a true value is written. */
  readonly truth: 'TRUE' | '1';
}
