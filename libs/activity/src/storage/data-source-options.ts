import type { DataSourceOptions } from 'typeorm';
import { trackerOptions } from './tracker-options.js';

/**
 * Options of a `DataSource` that holds the activity tables and their migrations, for TypeORM's command line:
 * `export default new DataSource(activityDataSourceOptions(options))`, then `typeorm migration:run -d that-file`.
 * @param app  where the database is: the options of the app's own data source.
 * @param options.tablePrefix  the same as the module's. Default none.
 * @throws {ActivityStoreUnsupportedError} for a database that cannot hold activities safely.
 */
export function activityDataSourceOptions(
  app: DataSourceOptions,
  { tablePrefix = '' }: { tablePrefix?: string } = {},
): DataSourceOptions {
  return trackerOptions(app, tablePrefix);
}
