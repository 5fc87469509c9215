import { fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import BetterSqlite3 from 'better-sqlite3';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import type { Database } from '../../libs/activity/src/storage/database.js';
import { ensureSchema } from '../../libs/activity/src/storage/migrate.js';
import { insertWrite, linesWrite, settleWrite } from '../../libs/activity/src/storage/storable-writes.js';
import type { Write } from '../../libs/activity/src/storage/write.js';
import { WritePipeline } from '../../libs/activity/src/storage/write-pipeline.js';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { closeStores, openStore, rowsOf } from './open-stores.js';

const { activity, line, end } = rowsOf({ ownerId: '0198c0de-0000-7000-8000-000000000001' } as never);

const TRANSIENT = {
  sqlite: ['SQLITE_BUSY', 'SQLITE_BUSY_SNAPSHOT', 'SQLITE_LOCKED'],
  postgres: ['40P01', '40001', '57P01', '57P03', '08006', 'ECONNREFUSED'],
  mariadb: ['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'PROTOCOL_CONNECTION_LOST', 'ECONNRESET'],
};

afterEach(closeStores);

describeEachDatabase('the write pipeline', (under) => {
  let database: Database;
  let app: DataSource;
  /** Called before and after each batch; what it throws is what the database would have thrown. */
  let fault: (when: 'before' | 'after', ids: string[]) => void = () => undefined;
  let attempts = 0;
  const log: string[] = [];

  beforeAll(async () => {
    const { options } = await under.create(import.meta.url);
    database = createDatabase(options, '', () => undefined);
    await database.open();
    await ensureSchema(database, 'run');
    app = database.dataSource;
  });
  afterAll(() => database.close());
  afterEach(() => {
    fault = () => undefined;
    attempts = 0;
    log.length = 0;
  });

  const pipeline = () =>
    new WritePipeline({
      write: async (batch, retried) => {
        attempts++;
        const ids = [
          ...batch.inserts.map(([id]) => id as string),
          ...batch.settlements.flatMap(({ rows }) => rows.map(({ id }) => id)),
          ...batch.messages.map(({ activityId }) => activityId),
        ];
        fault('before', ids);
        const outcome = await database.write(batch, retried);
        fault('after', ids);
        return outcome;
      },
      lockedAmong: (ids) => database.lockedAmong(ids),
      maxWaitingWrites: 1_000,
      remakeTables: () => Promise.resolve(false),
      logger: { warn: (text) => log.push(text) },
    });
  const started = async (writes = pipeline()) => {
    const row = activity();
    await writes.add(insertWrite(row.id, row));
    attempts = 0;
    return { id: row.id, writes };
  };
  const statusOf = async (id: string) => {
    const [row] = await app.query<{ status: string; version: unknown; error_message: string; metadata: string }[]>(
      `SELECT * FROM activities WHERE id = '${id}'`,
    );
    return row && { ...row, version: Number(row.version) };
  };

  it.each(TRANSIENT[under.kind])('writes an end whose first two attempts failed with %s', async (code) => {
    const { id, writes } = await started();
    fault = (when) => {
      if (when === 'before' && attempts <= 2) throw Object.assign(new Error(code), { code });
    };
    expect(await writes.add(settleWrite(id, end(id)))).toEqual({ won: true });
    expect(attempts).toBe(3);
    expect(await statusOf(id)).toMatchObject({ status: 'succeeded', version: 2 });
    expect(log).toEqual([]);
  });

  it('knows its own writes again when a commit was done but not heard of', async () => {
    const { id, writes } = await started();
    fault = (when) => {
      if (when === 'after' && attempts === 1) throw Object.assign(new Error('lost'), { code: 'ECONNRESET' });
    };
    const fresh = activity();
    const results = await Promise.all([
      writes.add(insertWrite(fresh.id, fresh)),
      writes.add(linesWrite(id, line(id, 1))),
      writes.add(settleWrite(id, end(id, { status: 'failed', reason: 'error' }))),
    ]);
    expect(attempts).toBe(2);
    expect(results[2]).toEqual({ won: true });
    expect(await statusOf(id)).toMatchObject({ status: 'failed', version: 2 });
    expect(await app.query(`SELECT seq FROM activity_messages WHERE activity_id = '${id}'`)).toHaveLength(1);
    expect(await writes.add(settleWrite(id, end(id)))).toEqual({ won: false, status: 'failed' });
  });

  it('finds the one write that the database refuses, and lands the rest in order', async () => {
    const { id: bad, writes } = await started();
    const good = Array.from({ length: 20 }, () => activity());
    fault = (when, ids) => {
      if (when === 'before' && ids.includes(bad)) throw Object.assign(new Error('refused'), { code: '22P05' });
    };
    const write = (one: Write) => writes.add(one);
    const results = await Promise.allSettled([
      ...good
        .slice(0, 10)
        .flatMap(({ id, ...row }) => [write(insertWrite(id, { id, ...row })), write(linesWrite(id, line(id, 1)))]),
      write(linesWrite(bad, line(bad, 1))),
      ...good
        .slice(10)
        .flatMap(({ id, ...row }) => [write(insertWrite(id, { id, ...row })), write(settleWrite(id, end(id)))]),
    ]);
    const rejected = results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []));
    expect(rejected).toEqual([20]);
    for (const { id } of good.slice(10)) expect(await statusOf(id)).toMatchObject({ status: 'succeeded' });
  });

  it('stores a poorer form of an end that the database refuses', async () => {
    const { id, writes } = await started();
    fault = (when) => {
      if (when === 'before' && attempts <= 2) throw Object.assign(new Error('refused'), { code: '22P05' });
    };
    const failed = end(id, {
      status: 'failed',
      reason: 'error',
      error: { name: 'E', message: 'no' },
      changes: { metadata: { a: 1 } },
    });
    expect(await writes.add(settleWrite(id, failed))).toEqual({ won: true });
    expect(await statusOf(id)).toMatchObject({
      status: 'failed',
      reason: 'error',
      error_message: null,
      metadata: '{}',
    });
    expect(log).toHaveLength(2);
  });
});

describe('on SQLite', () => {
  const script = fileURLToPath(new URL('processes/hold-sqlite.mjs', import.meta.url));
  const holdFor = async (ms: number, file: string, mode: string) => {
    const child = fork(script, [file, mode]);
    await once(child, 'message');
    setTimeout(() => child.send('let go'), ms);
    return { exit: once(child, 'exit') };
  };

  it('writes wait for another process that holds the file, and the event loop goes on [C77]', async () => {
    await withFile(async (options) => {
      const { run, store, line: lineOf, log } = await openStore(options);
      const holder = await holdFor(3_000, options.database, 'WAL');
      const delays = monitorEventLoopDelay({ resolution: 5 });
      delays.enable();
      const held = performance.now();
      const [first] = await Promise.all(Array.from({ length: 20 }, () => run({}, {})));
      delays.disable();
      expect(performance.now() - held).toBeGreaterThan(2_900);
      await holder.exit;
      await store.append(lineOf(first!.id, 1));
      expect(await store.get(first!.id)).toMatchObject({ status: 'succeeded' });
      expect(log).toEqual([expect.stringContaining('kept until they can'), 'warn: Activities are written again.']);
      // The driver's own busy timeout would stop it for seconds at a time.
      expect(delays.max / 1e6).toBeLessThan(1_000);
      expect(delays.percentile(99) / 1e6).toBeLessThan(100);
    });
  });

  it('a store opens when another process lets go of a file that is not in WAL mode yet [C77]', async () => {
    await withFile(async (options) => {
      const holder = await holdFor(3_000, options.database, 'DELETE');
      const { run, store } = await openStore(options);
      await holder.exit;
      expect(await store.get((await run({}, {})).id)).toMatchObject({ status: 'succeeded' });
    });
  });

  it('50 starts, lines and ends get past a transaction of the app that rolls back [C70]', async () => {
    await withFile(async (options) => {
      const { store, run, line: lineOf, end: endOf } = await openStore(options);
      const app = await new DataSource(options).initialize();
      await app.query('CREATE TABLE notes (id INTEGER)');
      const rollback = deferred();
      const inside = app.transaction(async (manager) => {
        await manager.query('INSERT INTO notes VALUES (1)');
        await rollback.promise;
        throw new Error('roll back');
      });
      const timer = setTimeout(rollback.resolve, 100);
      const ids = Promise.all(
        Array.from({ length: 50 }, async () => {
          const { id } = await run();
          await store.append(lineOf(id, 1));
          await store.settle(endOf(id));
          return id;
        }),
      );
      await expect(inside).rejects.toThrow('roll back');
      for (const id of await ids) {
        expect(await store.get(id)).toMatchObject({ status: 'succeeded' });
        expect(await store.messages(id, {})).toHaveLength(1);
      }
      clearTimeout(timer);
      expect(await app.query('SELECT * FROM notes')).toEqual([]);
      await app.destroy();
    });
  });
});

describeEachDatabase('a database that goes away', (database) => {
  if (database.kind === 'sqlite') {
    it('held by another program when the app stops, keeps nobody waiting for longer than was said', async () => {
      await withFile(async (options) => {
        const { store, activity: newRow } = await openStore(options);
        const other = new BetterSqlite3(options.database);
        other.exec('BEGIN IMMEDIATE');
        const [lost] = await Promise.allSettled([store.insert(newRow()), store.close(50)]);
        expect(lost).toMatchObject({ status: 'rejected', reason: { code: 'ACTIVITY_STORE_UNAVAILABLE' } });
        other.close();
      });
    });
    return;
  }
  let options: DataSourceOptions;
  let admin: DataSource;

  beforeAll(async () => {
    ({ options } = await database.create(import.meta.url));
    admin = await new DataSource(options).initialize();
  });
  afterAll(() => admin.destroy());

  const terminateAll = async () => {
    if (database.kind === 'postgres') {
      await admin.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      return;
    }
    const others = await admin.query<{ id: number }[]>(
      'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
    );
    // One may have gone by itself.
    await Promise.allSettled(others.map(({ id }) => admin.query(`KILL ${id}`)));
  };

  it('with its connections, while they are idle or write, gets new ones: nothing is lost, nothing is written twice, the process lives [C88]', async () => {
    const { store, run, line: lineOf } = await openStore(options);
    const first = await run({}, {});
    await terminateAll();
    expect(await store.get(first.id)).toMatchObject({ status: 'succeeded' });
    await terminateAll();
    const written: string[] = [];
    const work = Array.from({ length: 40 }, async () => {
      for (let round = 0; round < 5; round++) {
        const { id } = await run({ type: 'cut' });
        await store.append(lineOf(id, 1));
        await expect(store.settle(rowsOf(store).end(id))).resolves.toEqual({ won: true });
        written.push(id);
      }
    });
    const all = Promise.all(work);
    while (written.length < 150) {
      await terminateAll();
      await store.flush();
    }
    await all;
    const [rows] = await admin.query<[{ n: unknown }]>(
      "SELECT COUNT(*) AS n FROM activities WHERE type = 'cut' AND status = 'succeeded' AND version = 2",
    );
    const [lines] = await admin.query<[{ n: unknown }]>('SELECT COUNT(*) AS n FROM activity_messages');
    expect([Number(rows.n), Number(lines.n)]).toEqual([200, 200]);
  });

  if (database.kind === 'mariadb') return;
  it('for new connections only after it has cut the old ones, loses nothing', async () => {
    const { store, run, log } = await openStore(options);
    await run({}, {});
    const name = String(options.database);
    const elsewhere = await new DataSource({ ...options, database: 'postgres' } as DataSourceOptions).initialize();
    await elsewhere.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
    await terminateAll();
    const [refused] = await Promise.allSettled([new DataSource(options).initialize()]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: '55000' } });
    const waiting = run({}, {});
    // It asks for a connection in vain, and has its turn to do so.
    await expect(store.requestCancel('0198c0de-0000-7000-8000-000000000001', cancelFact())).rejects.toMatchObject({
      code: 'ACTIVITY_STORE_UNAVAILABLE',
    });
    await elsewhere.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`);
    await elsewhere.destroy();
    const { id } = await waiting;
    expect(await store.get(id)).toMatchObject({ status: 'succeeded' });
    expect(log.filter((entry) => entry.startsWith('error'))).toEqual([]);
  });
});

function cancelFact() {
  return { requestedAt: new Date(), by: null, reason: null };
}

async function withFile(work: (options: { type: 'better-sqlite3'; database: string }) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'outages-'));
  try {
    await work({ type: 'better-sqlite3', database: join(directory, 'app.db') });
  } finally {
    await closeStores();
    await rm(directory, { recursive: true, force: true });
  }
}
