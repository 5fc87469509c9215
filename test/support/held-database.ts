import BetterSqlite3 from 'better-sqlite3';
import { DataSource, type DataSourceOptions } from 'typeorm';

/**
 * Keeps every write of the activity tables waiting, from a connection of its own, as a long transaction of another
 * program would.
 * @returns lets them go.
 */
export async function holdWrites(options: DataSourceOptions): Promise<() => Promise<void>> {
  if (options.type === 'better-sqlite3') {
    const connection = new BetterSqlite3(options.database, { timeout: 5_000 });
    connection.exec('BEGIN IMMEDIATE');
    return async () => {
      connection.exec('COMMIT');
      connection.close();
    };
  }
  const dataSource = await new DataSource({ ...options, entities: [] }).initialize();
  const runner = dataSource.createQueryRunner();
  if (options.type === 'postgres') {
    const schema = options.schema ? `"${options.schema}".` : '';
    await runner.startTransaction();
    await runner.query(`LOCK TABLE ${schema}"activities", ${schema}"activity_messages" IN SHARE MODE`);
  } else {
    await runner.query('LOCK TABLES activities READ, activity_messages READ');
  }
  return async () => {
    if (options.type === 'postgres') await runner.commitTransaction();
    else await runner.query('UNLOCK TABLES');
    await runner.release();
    await dataSource.destroy();
  };
}
