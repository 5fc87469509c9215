import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe } from '@jest/globals';
import mysql from 'mysql2/promise';
import pg from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { describeWithServer } from './servers.js';

export type DatabaseKind = 'sqlite' | 'postgres' | 'mariadb';

/** A database of one suite's own, empty. */
export interface TestDatabase {
  /** Where it is and how to enter; an app adds its entities. Fresh on each call, so that a test may change it. */
  readonly options: DataSourceOptions;
  /** Called for every database when its block ends; calling it before that, or twice, is harmless. */
  drop(): Promise<void>;
}

export interface DatabaseUnderTest {
  readonly kind: DatabaseKind;
  /** As people write it, for titles: `PostgreSQL`. */
  readonly name: string;
  /**
   * Makes an empty database, named after the suite, and drops it when the block ends.
   * @param suite  the spec file's `import.meta.url`
   */
  create(suite: string): Promise<TestDatabase>;
}

type CreateDatabase = (databaseName: string) => Promise<TestDatabase>;

/**
 * Writes the same tests once per database: `describeEachDatabase('the store', (database) => { … })` gives the blocks
 * "the store on SQLite", "… on PostgreSQL" and "… on MariaDB". A server that is missing skips its block and says so;
 * with `CI=true` it fails.
 */
export function describeEachDatabase(subject: string, block: (database: DatabaseUnderTest) => void): void;
export function describeEachDatabase(block: (database: DatabaseUnderTest) => void): void;
export function describeEachDatabase(
  ...args:
    [subject: string, block: (database: DatabaseUnderTest) => void] | [block: (database: DatabaseUnderTest) => void]
): void {
  const block = args.length === 2 ? args[1] : args[0];
  const subject = args.length === 2 ? `${args[0]} ` : '';

  describe(`${subject}on SQLite`, () => {
    runBlock(block, 'sqlite', 'SQLite', createSqlite);
  });
  describeWithServer('POSTGRES', `${subject}on PostgreSQL`, (url) => {
    runBlock(block, 'postgres', 'PostgreSQL', createPostgres(url));
  });
  describeWithServer('MARIADB', `${subject}on MariaDB`, (url) => {
    runBlock(block, 'mariadb', 'MariaDB', createMariadb(url));
  });
}

/** For what one database alone has: `describePostgres('a young table', (database) => { … })`. */
export function describePostgres(subject: string, block: (database: DatabaseUnderTest) => void): void {
  describeWithServer('POSTGRES', `${subject} on PostgreSQL`, (url) => {
    runBlock(block, 'postgres', 'PostgreSQL', createPostgres(url));
  });
}

function runBlock(
  block: (database: DatabaseUnderTest) => void,
  kind: DatabaseKind,
  name: string,
  createDatabase: CreateDatabase,
): void {
  const created: TestDatabase[] = [];
  block({
    kind,
    name,
    async create(suite) {
      const database = await createDatabase(nameFor(suite));
      created.push(database);
      return database;
    },
  });
  // Jest runs these in the order they were given, so the block has closed what it had open.
  afterAll(async () => {
    await Promise.all(created.map((database) => database.drop()));
  });
}

/** `activity_store_spec_4711_9f3a01`: says whose it is where one is left over. At most 63 characters (PostgreSQL). */
function nameFor(suite: string): string {
  const file = basename(suite)
    .replace(/\.ts$/, '')
    .replaceAll(/[^a-z0-9]+/gi, '_')
    .toLowerCase();
  return `${file.slice(0, 40)}_${process.pid}_${randomBytes(4).toString('hex')}`;
}

async function createSqlite(databaseName: string): Promise<TestDatabase> {
  const directory = await mkdtemp(join(tmpdir(), `${databaseName}-`));
  return {
    get options(): DataSourceOptions {
      return { type: 'better-sqlite3', database: join(directory, 'app.db') };
    },
    drop: () => rm(directory, { recursive: true, force: true }),
  };
}

function createPostgres(serverUrl: string): CreateDatabase {
  const execute = async (sql: string) => {
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  return async (databaseName) => {
    // template0 takes no connections, so suites that start together do not get in each other's way.
    await execute(`CREATE DATABASE "${databaseName}" TEMPLATE template0`);
    return {
      get options(): DataSourceOptions {
        return {
          type: 'postgres',
          ...addressOf(serverUrl, 5432),
          database: databaseName,
        };
      },
      drop: () => execute(`DROP DATABASE IF EXISTS "${databaseName}" WITH (FORCE)`),
    };
  };
}

function createMariadb(serverUrl: string): CreateDatabase {
  const execute = async (sql: string) => {
    const { username, ...address } = addressOf(serverUrl, 3306);
    const connection = await mysql.createConnection({
      ...address,
      user: username,
    });
    try {
      await connection.query(sql);
    } finally {
      await connection.end();
    }
  };
  return async (databaseName) => {
    await execute(`CREATE DATABASE \`${databaseName}\``);
    return {
      get options(): DataSourceOptions {
        return {
          type: 'mariadb',
          ...addressOf(serverUrl, 3306),
          database: databaseName,
        };
      },
      drop: () => execute(`DROP DATABASE IF EXISTS \`${databaseName}\``),
    };
  };
}

function addressOf(url: string, defaultPort: number) {
  const { hostname, port, username, password } = new URL(url);
  return {
    host: hostname,
    port: Number(port || defaultPort),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
}
