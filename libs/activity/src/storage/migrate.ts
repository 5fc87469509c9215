import { MigrationExecutor, type DataSource, type QueryRunner } from 'typeorm';
import type { MigrationPolicy } from '../config/activity-module.options.js';
import { ActivityMigrationsPendingError } from '../model/errors.js';
import type { Database } from './database.js';

/**
 * Brings the schema up, or looks whether it is.
 * @returns what was missing, and is there now.
 * @throws {ActivityMigrationsPendingError} under the policy `check`, naming what is missing.
 */
export async function ensureSchema(database: Database, policy: MigrationPolicy): Promise<string[]> {
  if (policy === 'off') return [];
  const pending = await pendingMigrations(database.dataSource);
  if (pending.length === 0) return [];
  if (policy === 'check') throw new ActivityMigrationsPendingError(pending);
  await database.migrate(async (queryRunner) => {
    await createSchema(queryRunner);
    // Asked again by the executor, under the lock: another process may have run them meanwhile.
    const executor = new MigrationExecutor(database.dataSource, queryRunner);
    // The lock has brought its own transaction, where the database has one for such statements.
    executor.transaction = 'none';
    await executor.executePendingMigrations();
  });
  return pending;
}

async function pendingMigrations(dataSource: DataSource): Promise<string[]> {
  const pending = await new MigrationExecutor(dataSource).getPendingMigrations();
  return pending.map(({ name }) => name);
}

async function createSchema(queryRunner: QueryRunner): Promise<void> {
  const { options } = queryRunner.dataSource;
  if (options.type !== 'postgres' || !options.schema) return;
  if (!(await queryRunner.hasSchema(options.schema))) await queryRunner.createSchema(options.schema, true);
}
