import { DataSource, type DataSourceOptions } from 'typeorm';
import { activityEntities } from './activity-entities.js';
import type { Database } from './database.js';
import { MysqlDatabase } from './mysql-database.js';
import { PostgresDatabase } from './postgres-database.js';
import { SqliteDatabase } from './sqlite-database.js';
import { supportedType, trackerOptions } from './tracker-options.js';

/**
 * The dialect for the app's database, not yet connected.
 * @param onIdleError  told of a connection that broke while nobody used it.
 * @throws {ActivityStoreUnsupportedError} for a database that cannot hold activities safely.
 */
export function createDatabase(
  app: DataSourceOptions,
  prefix: string,
  onIdleError: (error: unknown) => void,
): Database {
  const type = supportedType(app);
  const entities = activityEntities(type, prefix);
  const options = trackerOptions(app, prefix, entities);
  switch (type) {
    case 'better-sqlite3':
      return new SqliteDatabase(new DataSource(options), entities);
    case 'postgres':
      return new PostgresDatabase(
        new DataSource({ ...options, poolErrorHandler: onIdleError } as DataSourceOptions),
        entities,
        onIdleError,
      );
    case 'mysql':
    case 'mariadb':
      return new MysqlDatabase(new DataSource(options), entities, onIdleError);
  }
}
