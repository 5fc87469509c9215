import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DataSourceOptions } from 'typeorm';

export type BenchDatabaseKind = 'sqlite' | 'postgres';

export interface BenchDatabase {
  kind: BenchDatabaseKind;
  options: DataSourceOptions;
  drop(): Promise<void>;
}

/** A database of the bench's own, empty; undefined where its server does not answer, which is said. */
export async function createBenchDatabase(kind: BenchDatabaseKind, row: string): Promise<BenchDatabase | undefined> {
  return kind === 'sqlite' ? createSqlite() : createPostgres(row);
}

function createSqlite(): BenchDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'activity-bench-'));
  return {
    kind: 'sqlite',
    options: { type: 'better-sqlite3', database: join(folder, 'bench.db') },
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function createPostgres(row: string): Promise<BenchDatabase | undefined> {
  const url = process.env.TEST_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/test';
  const name = `activity_bench_${randomBytes(4).toString('hex')}`;
  try {
    await execute(url, `CREATE DATABASE ${name} TEMPLATE template0`);
  } catch (error) {
    console.log(`${row} postgres: skipped, no server answers at ${url} (set TEST_POSTGRES_URL): ${String(error)}`);
    return undefined;
  }
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    kind: 'postgres',
    options: { type: 'postgres', url: own.href },
    drop: () => execute(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
