import { DataSource, type DataSourceOptions } from 'typeorm';
import { activityDataSourceOptions } from './libs/activity/src/storage/data-source-options.js';

/**
 * For TypeORM's command line: the activity tables of the database that `DATABASE_URL` names, e.g. `sqlite:app.db`,
 * `postgres://user:secret@host:5432/app`, `mysql://…` or `mariadb://…`. Without it: the demo's SQLite file.
 */
const url = process.env.DATABASE_URL ?? 'sqlite:demo.db';

export default new DataSource({ ...activityDataSourceOptions(addressed(url)), ...waits(url) });

function addressed(address: string): DataSourceOptions {
  const scheme = address.slice(0, address.indexOf(':'));
  switch (scheme) {
    case 'sqlite':
    case 'file':
      return { type: 'better-sqlite3', database: address.slice(scheme.length + 1).replace(/^\/\//, '') };
    case 'postgres':
    case 'postgresql':
      return { type: 'postgres', url: address };
    case 'mysql':
    case 'mariadb':
      return { type: scheme, url: address };
    default:
      throw new Error(
        `DATABASE_URL is "${address}": it must begin with sqlite:, postgres://, mysql:// or mariadb://, e.g. sqlite:app.db`,
      );
  }
}

/** A command may wait for a locked file; an application must not (its event loop would stand still). */
function waits(address: string) {
  return /^(sqlite|file):/.test(address) ? { timeout: 10_000 } : {};
}
