import type { DataSource } from 'typeorm';

export interface HistorySize {
  activities: number;
  linesEach: number;
  /** Of the tables; none by default. */
  prefix?: string;
}

/** Values of the generated history that a query can ask for: one of many, and one of those that are rare. */
export const GENERATED = {
  type: 'type.7',
  actor: 'actor-103',
  resource: 'resource-4711',
  tenant: 'tenant-9',
  batch: 'batch-4000',
  /** Has been gone for long: all that he did is among the oldest. */
  formerActor: 'actor-former',
};

/**
 * Fills the tables with a believable history, by the database itself and always the same: one activity every ten seconds
 * up to now, of 40 types (every second one is `type.0`), 500 actors and 20,000 resources, half of them in the scope
 * `default` and half of ten tenants; of a hundred 90 have succeeded, 6 failed, 3 were cancelled and one was interrupted.
 * Every tenth is in a batch of ten and has a parent, every twentieth has a key; the oldest twentieth is of an actor who is
 * gone; the newest 20 run. Then it brings the statistics up to date, as each database does from time to time.
 */
export async function generateHistory(
  dataSource: DataSource,
  { activities, linesEach, prefix = '' }: HistorySize,
): Promise<void> {
  const { count, hex, uuid, truth, refresh } = dialectOf(dataSource);
  // Milliseconds of activity number n, and its id: a UUIDv7 of that time.
  const time = `(${Date.now()} - (${activities} - n) * 10000)`;
  const idOf = (n: string) => {
    const digits = hex(time.replaceAll(/\bn\b/g, n), 12);
    return (
      `concat(substr(${digits}, 1, 8), '-', substr(${digits}, 9, 4), '-7', substr(${hex(`${n} % 4096`, 12)}, 10, 3), ` +
      `'-8000-', ${hex(n, 12)})`
    );
  };
  const isActive = `n > ${activities - 20}`;
  const isOld = `n <= ${activities / 20}`;
  const status =
    `CASE WHEN ${isActive} THEN 'running' WHEN n % 100 < 90 THEN 'succeeded' WHEN n % 100 < 96 THEN 'failed' ` +
    `WHEN n % 100 < 99 THEN 'cancelled' ELSE 'interrupted' END`;
  const columns: Record<string, string> = {
    id: uuid(idOf('n')),
    scope: `CASE WHEN n % 20 < 10 THEN 'default' ELSE concat('tenant-', n % 20 - 10) END`,
    type: `CASE WHEN n % 2 = 0 THEN 'type.0' ELSE concat('type.', n % 40) END`,
    title: `concat('Number ', n)`,
    resource_type: `'image'`,
    resource_id: `concat('resource-', (n * 7919) % 20000)`,
    actor_id: `CASE WHEN ${isOld} THEN '${GENERATED.formerActor}' ELSE concat('actor-', (n * 104729) % 500) END`,
    batch_id: `CASE WHEN n % 10 = 0 THEN concat('batch-', n - n % 100) END`,
    parent_id: `CASE WHEN n % 10 = 0 THEN ${idOf('(n - n % 100 + 1)')} END`,
    status,
    reason: `CASE WHEN ${isActive} OR n % 100 < 90 THEN NULL WHEN n % 100 < 96 THEN 'error' WHEN n % 100 < 99 THEN 'user' ELSE 'shutdown' END`,
    cancellable: truth,
    latest_message: `concat('line ${linesEach} of ', n)`,
    message_count: String(linesEach),
    metadata: `concat('{"n":', n, '}')`,
    error_message: `CASE WHEN n % 100 >= 90 AND n % 100 < 96 THEN concat('connection refused by host ', n % 77) END`,
    created_at: time,
    started_at: time,
    ended_at: `CASE WHEN ${isActive} THEN NULL ELSE ${time} + 1000 + n % 9000 END`,
    updated_at: time,
    owner_id: `'01a00000-0000-7000-8000-000000000000'`,
    fence: '1',
  };
  const names = Object.keys(columns).join(', ');
  const lines = Array.from({ length: linesEach }, (_, index) => `SELECT ${index + 1} AS seq`).join(' UNION ALL ');
  // In parts: one statement of a million rows would hold its transaction, and its log, for minutes.
  for (let from = 1; from <= activities; from += PART) {
    const numbers = count(from, Math.min(activities, from + PART - 1));
    await dataSource.query(
      `INSERT INTO ${prefix}activities (${names}) ${numbers} SELECT ${Object.values(columns).join(', ')} FROM numbers`,
    );
    await dataSource.query(
      `INSERT INTO ${prefix}activity_keys (key_hash, kind, activity_id, created_at) ${numbers} ` +
        `SELECT concat('hash-', n), 'idempotency', ${columns.id}, ${time} FROM numbers WHERE n % 20 = 0`,
    );
    if (linesEach === 0) continue;
    await dataSource.query(
      `INSERT INTO ${prefix}activity_messages (activity_id, seq, at, level, text, source) ${numbers} ` +
        `SELECT ${columns.id}, seq, ${time} + seq, 'info', concat('a line of output, number ', seq), 'log' ` +
        `FROM numbers CROSS JOIN (${lines}) seqs`,
    );
  }
  for (const statement of refresh(prefix)) await dataSource.query(statement);
}

const PART = 50_000;
const TABLES = ['activities', 'activity_messages', 'activity_keys'];

interface Dialect {
  /** A table `numbers` of one column, `n`. */
  count: (from: number, to: number) => string;
  hex: (value: string, digits: number) => string;
  uuid: (text: string) => string;
  truth: string;
  /** Brings the statistics up to date. */
  refresh: (prefix: string) => string[];
}

const postgres: Dialect = {
  count: (from, to) => `WITH numbers AS (SELECT generate_series(${from}::int8, ${to}::int8) AS n)`,
  hex: (value, digits) => `lpad(to_hex((${value})::int8), ${digits}, '0')`,
  uuid: (text) => `${text}::uuid`,
  truth: 'true',
  refresh: (prefix) => TABLES.map((table) => `VACUUM (ANALYZE) ${prefix}${table}`),
};

const sqlite: Dialect = {
  count: (from, to) =>
    `WITH RECURSIVE numbers(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM numbers WHERE n < ${to})`,
  hex: (value, digits) => `printf('%0${digits}x', ${value})`,
  uuid: (text) => text,
  truth: '1',
  refresh: () => ['ANALYZE'],
};

const mariadb: Dialect = {
  count: (from, to) => `WITH numbers AS (SELECT CAST(seq AS SIGNED) AS n FROM seq_${from}_to_${to})`,
  hex: (value, digits) => `lpad(lower(hex(${value})), ${digits}, '0')`,
  uuid: (text) => text,
  truth: '1',
  refresh: (prefix) => TABLES.map((table) => `ANALYZE TABLE ${prefix}${table}`),
};

function dialectOf({ options: { type } }: DataSource): Dialect {
  if (type === 'postgres') return postgres;
  return type === 'better-sqlite3' ? sqlite : mariadb;
}
