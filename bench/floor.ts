import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { v7 as uuid } from 'uuid';
import type { BenchDatabase } from './bench-database.js';

/** What the driver alone reaches: whole batches, no objects, no promise for each call, no events. */
export interface Floor {
  /** Starts and ends `units` activities, `atOnce` in one batch, each batch durable before the next. */
  lifecycles(units: number, atOnce: number): Promise<void>;
  /** Writes `units` lines, `batch` of them at once, of as many activities as are given. */
  lines(units: number, options: { batch: number; activityIds: readonly string[] }): Promise<void>;
  /** New activities that run, for lines. */
  activityIds(count: number): Promise<string[]>;
  close(): Promise<void>;
}

type Value = string | number | null;

/** On the tables of the tracker: the columns that a call without options fills, as our statements have them. */
const START: Record<string, { type: string; of: (id: string, now: number) => Value }> = {
  id: { type: 'uuid', of: (id) => id },
  scope: { type: 'text', of: () => 'default' },
  type: { type: 'text', of: () => 'bench.nothing' },
  status: { type: 'text', of: () => 'running' },
  cancellable: { type: 'int4', of: () => 1 },
  origin_label: { type: 'text', of: () => 'Nothing.work' },
  metadata: { type: 'text', of: () => '{}' },
  created_at: { type: 'int8', of: (_, now) => now },
  started_at: { type: 'int8', of: (_, now) => now },
  updated_at: { type: 'int8', of: (_, now) => now },
  owner_id: { type: 'text', of: () => OWNER },
  fence: { type: 'int4', of: () => 1 },
};
const OWNER = '01a00000-0000-7000-8000-000000000000';
/** As long as such lines are. */
export const LINE = 'a line of output: 4711 of 10000 files are done';
const COLUMNS = Object.keys(START);
const MESSAGE_COLUMNS = ['activity_id', 'seq', 'at', 'level', 'text', 'source', 'step'];

/** A table with the least that says what ran: what `schema` measures ours against. */
const BARE = 'bench_bare';
const BARE_COLUMNS = ['id', 'type', 'status', 'created_at'];

/** One batch each, durable when it resolves. */
interface Batches {
  insert(ids: readonly string[], now: number): Promise<void>;
  settle(ids: readonly string[], now: number): Promise<void>;
  /** A line of each activity, with its number. */
  append(ids: readonly string[], seqs: readonly number[], now: number): Promise<void>;
  close(): Promise<void>;
}

/** @param prefix  of the tracker's tables; undefined: the bare table. */
export async function openFloor({ kind, options }: BenchDatabase, prefix?: string): Promise<Floor> {
  const batches =
    kind === 'sqlite'
      ? sqliteBatches((options as { database: string }).database, prefix)
      : await postgresBatches((options as { url: string }).url, prefix);
  const start = async (count: number, now: number): Promise<string[]> => {
    const ids = Array.from({ length: count }, () => uuid());
    await batches.insert(ids, now);
    return ids;
  };
  return {
    activityIds: (count) => start(count, Date.now()),
    async lifecycles(units, atOnce) {
      for (let left = units; left > 0; left -= atOnce) {
        const now = Date.now();
        await batches.settle(await start(Math.min(atOnce, left), now), now);
      }
    },
    async lines(units, { batch, activityIds }) {
      const last = new Map<string, number>();
      for (let done = 0; done < units; done += batch) {
        const ids: string[] = [];
        const seqs: number[] = [];
        for (let at = done; at < Math.min(units, done + batch); at++) {
          const id = activityIds[at % activityIds.length]!;
          const seq = (last.get(id) ?? 0) + 1;
          last.set(id, seq);
          ids.push(id);
          seqs.push(seq);
        }
        await batches.append(ids, seqs, Date.now());
      }
    },
    close: () => batches.close(),
  };
}

async function postgresBatches(url: string, prefix: string | undefined): Promise<Batches> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  if (prefix === undefined) {
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${BARE} (id uuid PRIMARY KEY, type text, status text, created_at int8, ended_at int8)`,
    );
  }
  const table = prefix === undefined ? BARE : `${prefix}activities`;
  const columns = prefix === undefined ? BARE_COLUMNS : COLUMNS;
  const arrays = columns.map((column, index) => `$${index + 1}::${START[column]!.type}[]`);
  const values = columns.map((column) =>
    (START[column]!.type === 'int4' && column === 'cancellable' ? 'c::bool' : 'c').replace('c', `v.${column}`),
  );
  const insert =
    `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM unnest(${arrays.join(', ')}) ` +
    `AS v(${columns.join(', ')}) ON CONFLICT DO NOTHING`;
  const settle =
    prefix === undefined
      ? `UPDATE ${table} a SET status = v.status, ended_at = v.at FROM unnest($1::uuid[], $2::text[], $3::int8[]) ` +
        "AS v(id, status, at) WHERE a.id = v.id AND a.status IN ('running') RETURNING a.id"
      : `UPDATE ${table} a SET status = v.status, ended_at = GREATEST(v.at, a.started_at), updated_at = v.at, ` +
        'progress_percent = v.percent, version = a.version + 1 ' +
        'FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::text[], $5::int4[], $6::float8[]) ' +
        'AS v(id, status, at, owner_id, fence, percent) WHERE a.id = ANY($1::uuid[]) AND a.id = v.id ' +
        "AND a.owner_id = v.owner_id AND a.fence = v.fence AND (a.status IN ('running', 'cancelling')) IS TRUE RETURNING a.id";
  const lines =
    `INSERT INTO ${prefix}activity_messages (${MESSAGE_COLUMNS.join(', ')}) ` +
    'SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[]) ' +
    'ON CONFLICT DO NOTHING';
  return {
    async insert(ids, now) {
      await client.query({
        name: `start-${table}`,
        text: insert,
        values: columns.map((column) => ids.map((id) => START[column]!.of(id, now))),
      });
    },
    async settle(ids, now) {
      const ended = [ids, ids.map(() => 'succeeded'), ids.map(() => now)];
      const guarded = [ids.map(() => OWNER), ids.map(() => 1), ids.map(() => 100)];
      await client.query({
        name: `settle-${table}`,
        text: settle,
        values: prefix === undefined ? ended : [...ended, ...guarded],
      });
    },
    async append(ids, seqs, now) {
      const all = (value: Value) => ids.map(() => value);
      await client.query({
        name: 'lines',
        text: lines,
        values: [ids, seqs, all(now), all('info'), all(LINE), all('log'), all(null)],
      });
    },
    close: () => client.end(),
  };
}

function sqliteBatches(file: string, prefix: string | undefined): Batches {
  const database = new Sqlite(file, { timeout: 5_000 });
  database.pragma('journal_mode = WAL');
  if (prefix === undefined) {
    database.exec(
      `CREATE TABLE IF NOT EXISTS ${BARE} (id varchar(36) PRIMARY KEY, type text, status text, created_at bigint, ended_at bigint)`,
    );
  }
  const table = prefix === undefined ? BARE : `${prefix}activities`;
  const columns = prefix === undefined ? BARE_COLUMNS : COLUMNS;
  const marks = (count: number) => Array.from({ length: count }, () => '?').join(', ');
  const insert = database.prepare(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks(columns.length)}) ON CONFLICT DO NOTHING`,
  );
  const settle = database.prepare(
    prefix === undefined
      ? `UPDATE ${table} SET status = ?, ended_at = ? WHERE id = ? AND status IN ('running')`
      : `UPDATE ${table} SET status = ?, ended_at = MAX(?, started_at), updated_at = ?, progress_percent = ?, ` +
          "version = version + 1 WHERE id = ? AND owner_id = ? AND fence = ? AND status IN ('running', 'cancelling')",
  );
  const line =
    prefix === undefined
      ? undefined
      : database.prepare(
          `INSERT INTO ${prefix}activity_messages (${MESSAGE_COLUMNS.join(', ')}) VALUES (${marks(7)}) ON CONFLICT DO NOTHING`,
        );
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const inOne = async (work: () => void): Promise<void> => {
    begin.run();
    work();
    commit.run();
    // As the tracker does between two batches.
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return {
    insert: (ids, now) =>
      inOne(() => {
        for (const id of ids) insert.run(...columns.map((column) => START[column]!.of(id, now)));
      }),
    settle: (ids, now) =>
      inOne(() => {
        for (const id of ids) {
          if (prefix === undefined) settle.run('succeeded', now, id);
          else settle.run('succeeded', now, now, 100, id, OWNER, 1);
        }
      }),
    append: (ids, seqs, now) =>
      inOne(() => {
        for (const [at, id] of ids.entries()) line!.run(id, seqs[at], now, 'info', LINE, 'log', null);
      }),
    close: async () => void database.close(),
  };
}
