import { DataSource } from 'typeorm';
import { PREFIX } from './bench-app.js';
import type { BenchDatabase } from './bench-database.js';

export interface HistorySize {
  activities: number;
  linesEach: number;
}

/** Types, actors and so on of the generated history, so that a query can ask for one of them. */
export const GENERATED = { type: 'type.7', actor: 'actor-103', resource: 'resource-4711' };

/**
 * Fills the tables with a believable history, by the database itself and always the same: one activity every ten seconds
 * up to now, of 40 types, 500 actors and 20,000 resources, in 5 scopes; of a hundred 90 have succeeded, 6 failed, 3 were
 * cancelled and one was interrupted; the newest 20 run.
 */
export async function generateHistory(database: BenchDatabase, { activities, linesEach }: HistorySize): Promise<void> {
  const dataSource = await new DataSource(database.options).initialize();
  const { count, hex, text } = database.kind === 'sqlite' ? sqlite : postgres;
  // Milliseconds of activity number n, and its id: a UUIDv7 of that time.
  const time = `(${Date.now()} - (${activities} - n) * 10000)`;
  const timeHex = hex(time, 12);
  const cast = database.kind === 'postgres' ? '::uuid' : '';
  const id =
    `(substr(${timeHex}, 1, 8) || '-' || substr(${timeHex}, 9, 4) || '-7' || substr(${hex('n % 4096', 12)}, 10, 3) || ` +
    `'-8000-' || ${hex('n', 12)})${cast}`;
  const isActive = `n > ${activities - 20}`;
  const status =
    `CASE WHEN ${isActive} THEN 'running' WHEN n % 100 < 90 THEN 'succeeded' WHEN n % 100 < 96 THEN 'failed' ` +
    `WHEN n % 100 < 99 THEN 'cancelled' ELSE 'interrupted' END`;
  const columns: Record<string, string> = {
    id,
    scope: `'scope-' || ${text('n % 5')}`,
    type: `'type.' || ${text('n % 40')}`,
    title: `'Number ' || ${text('n')}`,
    resource_type: `'image'`,
    resource_id: `'resource-' || ${text('(n * 7919) % 20000')}`,
    actor_id: `'actor-' || ${text('(n * 104729) % 500')}`,
    status,
    reason: `CASE WHEN ${isActive} OR n % 100 < 90 THEN NULL WHEN n % 100 < 96 THEN 'error' WHEN n % 100 < 99 THEN 'user' ELSE 'shutdown' END`,
    cancellable: database.kind === 'postgres' ? 'true' : '1',
    latest_message: `'line ${linesEach} of ' || ${text('n')}`,
    message_count: String(linesEach),
    metadata: `'{"n":' || ${text('n')} || '}'`,
    error_message: `CASE WHEN n % 100 >= 90 AND n % 100 < 96 THEN 'connection refused by host ' || ${text('n % 77')} END`,
    created_at: time,
    started_at: time,
    ended_at: `CASE WHEN ${isActive} THEN NULL ELSE ${time} + 1000 + n % 9000 END`,
    updated_at: time,
    owner_id: `'01a00000-0000-7000-8000-000000000000'`,
    fence: '1',
  };
  const names = Object.keys(columns).join(', ');
  try {
    // In parts: one statement of a million rows would hold its transaction, and its log, for minutes.
    for (let from = 1; from <= activities; from += PART) {
      const to = Math.min(activities, from + PART - 1);
      await dataSource.query(
        `INSERT INTO ${PREFIX}activities (${names}) ${count(from, to)} SELECT ${Object.values(columns).join(', ')} FROM numbers`,
      );
      const lines = Array.from({ length: linesEach }, (_, index) => `SELECT ${index + 1} AS seq`).join(' UNION ALL ');
      await dataSource.query(
        `INSERT INTO ${PREFIX}activity_messages (activity_id, seq, at, level, text, source) ${count(from, to)} ` +
          `SELECT ${id}, seq, ${time} + seq, 'info', 'a line of output, number ' || ${text('seq')}, 'log' ` +
          `FROM numbers CROSS JOIN (${lines}) lines`,
      );
    }
    await dataSource.query('ANALYZE');
  } finally {
    await dataSource.destroy();
  }
}

const PART = 50_000;

interface Dialect {
  /** A table `numbers` of one column, `n`. */
  count: (from: number, to: number) => string;
  hex: (value: string, digits: number) => string;
  text: (value: string) => string;
}

const postgres: Dialect = {
  count: (from, to) => `WITH numbers AS (SELECT generate_series(${from}::int8, ${to}::int8) AS n)`,
  hex: (value, digits) => `lpad(to_hex((${value})::int8), ${digits}, '0')`,
  text: (value) => `(${value})::text`,
};

const sqlite: Dialect = {
  count: (from, to) =>
    `WITH RECURSIVE numbers(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM numbers WHERE n < ${to})`,
  hex: (value, digits) => `printf('%0${digits}x', ${value})`,
  text: (value) => `(${value})`,
};
