import type { DataSourceOptions, EntitySchema } from 'typeorm';
import { ActivityStoreUnsupportedError } from '../model/errors.js';
import { activityEntities, type ActivityEntities } from './activity-entities.js';
import { DATABASE_TYPES, isDatabaseType, type DatabaseType } from './column-types.js';
import { activityMigrations, migrationsTableName } from './migrations/activity-migrations.js';

/** Few connections of its own: one writes, the others read and cancel. */
const POOL_SIZE = 4;
const CONNECT_TIMEOUT_MS = 5_000;

type Options = Record<string, unknown>;
type AppOptions = DataSourceOptions & { type: DatabaseType };

const ADDRESS = ['url', 'host', 'port', 'username', 'password', 'database', 'ssl', 'socketPath', 'applicationName'];

/** Of the app's options what leads to its database, per kind of database; all else is left behind. */
const KEPT: Record<DatabaseType, readonly string[]> = {
  'better-sqlite3': ['database', 'driver', 'key', 'nativeBinding', 'prepareDatabase'],
  postgres: [...ADDRESS, 'schema', 'driver', 'nativeDriver', 'connectTimeoutMS', 'extra'],
  mysql: [...ADDRESS, 'driver', 'connectTimeout', 'insecureAuth', 'extra'],
  mariadb: [...ADDRESS, 'driver', 'connectTimeout', 'insecureAuth', 'extra'],
};

/**
 * Options of the tracker's own data source on the app's database: same address, credentials, TLS, schema and driver (of
 * replication the writer), and nothing that names, changes or logs tables.
 * @throws {ActivityStoreUnsupportedError} for a database that cannot hold activities safely.
 */
export function trackerOptions(app: DataSourceOptions, prefix: string, entities?: ActivityEntities): DataSourceOptions {
  const type = supportedType(app);
  return {
    ...connectionOf(app as AppOptions),
    type,
    entities: Object.values<EntitySchema>({ ...(entities ?? activityEntities(type, prefix)) }),
    migrations: activityMigrations(prefix),
    migrationsTableName: migrationsTableName(prefix),
    synchronize: false,
    logging: false,
  } as DataSourceOptions;
}

/** @throws {ActivityStoreUnsupportedError} naming what is supported and the way out. */
export function supportedType(options: DataSourceOptions): DatabaseType {
  const wayOut =
    `Supported are ${DATABASE_TYPES.join(', ')}. Give the tracker a database of its own with the option \`connection\`, ` +
    "e.g. `connection: { type: 'better-sqlite3', database: 'activities.db' }`.";
  if (options.type === 'sqljs') {
    throw new ActivityStoreUnsupportedError(
      'The data source is of type "sqljs": each connection to it holds the whole database in memory and writes it back ' +
        `as a whole, so the app and the tracker would overwrite each other. ${wayOut}`,
    );
  }
  if (!isDatabaseType(options.type)) {
    throw new ActivityStoreUnsupportedError(
      `Activities cannot be kept in a database of type "${options.type}". ${wayOut}`,
    );
  }
  if (options.type === 'better-sqlite3' && (options as { readonly?: boolean }).readonly) {
    throw new ActivityStoreUnsupportedError(
      `The data source is opened \`readonly\`, so nothing can be recorded in it. ${wayOut}`,
    );
  }
  return options.type;
}

function connectionOf(app: AppOptions): Options {
  const writer = (app as { replication?: { master?: Options } }).replication?.master;
  const given: Options = writer ? { ...without(app, ADDRESS, ['ssl']), ...writer } : { ...app };
  const kept = Object.fromEntries(
    KEPT[app.type].filter((key) => given[key] !== undefined).map((key) => [key, given[key]]),
  );
  switch (app.type) {
    case 'better-sqlite3':
      // A busy timeout would freeze the event loop; a locked file is tried again asynchronously.
      return { ...kept, timeout: 0 };
    case 'postgres':
      return {
        connectTimeoutMS: CONNECT_TIMEOUT_MS,
        ...kept,
        installExtensions: false,
        extra: postgresExtra(kept.extra),
      };
    default:
      return { connectTimeout: CONNECT_TIMEOUT_MS, ...kept, charset: 'utf8mb4', extra: mysqlExtra(kept.extra) };
  }
}

function postgresExtra(extra: unknown): Options {
  const { types: _types, ...kept } = (extra ?? {}) as Options;
  return { keepAlive: true, ...kept, max: POOL_SIZE, pipeline: true };
}

function mysqlExtra(extra: unknown): Options {
  // What changes the form of rows or the meaning of counts is left behind.
  const kept = without(extra ?? {}, ['flags', 'typeCast', 'rowsAsArray', 'namedPlaceholders', 'nestTables']);
  return { enableKeepAlive: true, ...kept, charset: 'utf8mb4', connectionLimit: POOL_SIZE };
}

function without(options: object, keys: readonly string[], except: readonly string[] = []): Options {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !keys.includes(key) || except.includes(key)));
}
