import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource, DefaultNamingStrategy, EntitySchema, type DataSourceOptions, type Logger } from 'typeorm';
import { trackerOptions } from '../../libs/activity/src/storage/tracker-options.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, unopenedStore } from './open-stores.js';

class ShoutingNames extends DefaultNamingStrategy {
  override tableName(name: string): string {
    return `SHOUT_${name.toUpperCase()}`;
  }
  override columnName(name: string): string {
    return `c_${name}`;
  }
}

const notes = new EntitySchema<{ id: number }>({
  name: 'notes',
  columns: { id: { type: 'integer', primary: true } },
});

afterEach(closeStores);

describeEachDatabase('the tracker', (database) => {
  let options: DataSourceOptions;
  let app: DataSource;

  beforeAll(async () => {
    ({ options } = await database.create(import.meta.url));
    app = await new DataSource({ ...options, entities: [notes], synchronize: true }).initialize();
  });
  afterAll(async () => {
    await app.destroy();
  });

  it("leaves the app's naming, prefix, entities, subscribers, logging and schema changes behind", async () => {
    const queries: string[] = [];
    const logger = { logQuery: (query: string) => queries.push(query) } as unknown as Logger;
    const { run, store } = await openStore({
      ...options,
      namingStrategy: new ShoutingNames(),
      entityPrefix: 'app_',
      entities: [notes],
      migrations: ['never/looked/at.js'],
      migrationsTableName: 'app_migrations',
      subscribers: ['never/looked/at.js'],
      synchronize: true,
      dropSchema: true,
      logging: true,
      logger,
      cache: true,
    });
    const { id } = await run({ title: 'kept' });
    expect(await store.get(id)).toMatchObject({ title: 'kept' });
    expect(queries).toEqual([]);
    expect(await tablesOf(app)).toEqual([
      'activities',
      'activity_chores',
      'activity_keys',
      'activity_limits',
      'activity_messages',
      'activity_migrations',
      'activity_owners',
      'activity_slots',
      'notes',
    ]);
  });

  it('names its tables by its own prefix, so two apps may share a database', async () => {
    const [ours, theirs] = [await openStore(options, { tablePrefix: 'ops_' }), await openStore(options)];
    const { id } = await ours.run({}, {});
    expect(await ours.store.get(id)).toMatchObject({ status: 'succeeded' });
    expect(await theirs.store.get(id)).toBeNull();
    expect(await tablesOf(app)).toEqual(
      expect.arrayContaining([
        'ops_activities',
        'ops_activity_keys',
        'ops_activity_messages',
        'ops_activity_migrations',
        'ops_activity_chores',
        'ops_activity_owners',
      ]),
    );
    expect(await ours.store.clearHistory({})).toBe(1);
  });

  it('neither joins nor waits for a transaction of the app: what was written inside of it survives its rollback', async () => {
    const { store, activity, line, end } = await openStore(options);
    const given = activity();
    const written: Promise<unknown>[] = [];
    const rolledBack = app.transaction(async (manager) => {
      await manager.insert(notes, { id: 1 });
      written.push(
        store.insert(given),
        store.append(line(given.id, 1)),
        store.settle(end(given.id, { status: 'failed', reason: 'error' })),
      );
      // On SQLite there is one writer at a time: there it is written when the transaction has ended.
      if (database.kind !== 'sqlite') await Promise.all(written);
      throw new Error('roll back');
    });
    await expect(rolledBack).rejects.toThrow('roll back');
    await Promise.all(written);
    expect(await store.get(given.id)).toMatchObject({ status: 'failed' });
    expect(await store.messages(given.id, {})).toHaveLength(1);
    expect(await app.manager.count(notes)).toBe(0);
  });

  it('does not fail a transaction of the app by a write of its own that fails', async () => {
    const { store, run, end } = await openStore(options);
    const { id } = await run();
    await app.transaction(async (manager) => {
      await manager.insert(notes, { id: 2 });
      const failing = store.settle(end(id, { fence: 2 ** 40 })).catch((error: { code: string }) => error.code);
      // PostgreSQL refuses such a number; the others have no such row.
      if (database.kind !== 'sqlite') await failing;
    });
    expect(await app.manager.countBy(notes, { id: 2 })).toBe(1);
    expect(await store.get(id)).toMatchObject({ status: 'running' });
  });

  it('makes dropped tables again and says so once, where it may', async () => {
    const { store, log, run, end, line } = await openStore(options);
    const lost = await run();
    await app.synchronize(true);
    const { id } = await run({}, {});
    expect(await store.get(id)).toMatchObject({ status: 'succeeded' });
    await store.append(line(lost.id, 1));
    expect(await store.settle(end(lost.id))).toEqual({ won: false, status: null });
    await app.synchronize(true);
    expect(await store.list({})).toEqual({ items: [], nextCursor: null, searchedTo: null });
    await app.synchronize(true);
    expect(await store.requestCancel(id, { requestedAt: new Date(), by: null, reason: null })).toEqual({
      outcome: 'unknown',
    });
    await app.synchronize(true);
    expect(await store.clearHistory({})).toBe(0);
    expect(log.filter((entry) => entry.startsWith('warn: The activity tables were gone'))).toHaveLength(4);
    expect(await app.query(`SELECT id FROM activity_owners WHERE id = '${store.ownerId}'`)).toHaveLength(1);
  });

  it('says how to get dropped tables back where it may not make them', async () => {
    await openStore(options);
    const { store, run } = await openStore(options, { migrations: 'check' });
    await app.synchronize(true);
    await expect(run()).rejects.toMatchObject({
      code: 'ACTIVITY_STORE_UNAVAILABLE',
      message: expect.stringContaining('npm run migration:run') as unknown,
    });
    await expect(store.list({})).rejects.toMatchObject({ code: 'ACTIVITY_STORE_UNAVAILABLE' });
  });

  it('opens once, keeps what comes before, and takes nothing after it has closed', async () => {
    const { store, run } = unopenedStore(options);
    const early = run({}, {});
    await Promise.all([store.open(), store.open()]);
    const { id } = await early;
    expect(await store.get(id)).toMatchObject({ status: 'succeeded' });
    await store.close(1_000);
    await store.close(1_000);
    await expect(run()).rejects.toMatchObject({ code: 'ACTIVITY_STORE_UNAVAILABLE' });
    await expect(store.get(id)).rejects.toMatchObject({ code: 'ACTIVITY_STORE_UNAVAILABLE' });
    expect(await app.query(`SELECT id FROM activity_owners WHERE id = '${store.ownerId}'`)).toEqual([]);
  });
});

describe('a connection', () => {
  const refused = async (options: object | undefined, settings = {}): Promise<{ code: string; message: string }> => {
    const { store } = unopenedStore(
      (options ?? { type: 'better-sqlite3', database: ':memory:' }) as DataSourceOptions,
      settings,
    );
    return store.open().then(
      () => ({ code: 'none', message: '' }),
      (error: { code: string; message: string }) => error,
    );
  };

  it('to a memory database is one of its own [C77]', async () => {
    for (const address of [':memory:', '']) {
      const { store, run } = await openStore({ type: 'better-sqlite3', database: address });
      const other = await openStore({ type: 'better-sqlite3', database: address });
      const { id } = await run({}, {});
      expect(await store.get(id)).toMatchObject({ status: 'succeeded' });
      expect(await other.store.get(id)).toBeNull();
    }
  });

  it('of the tracker itself replaces that of the app', async () => {
    const connection = { type: 'better-sqlite3' as const, database: ':memory:' };
    const { store, run } = await openStore({ type: 'mssql' }, { connection });
    expect(await store.get((await run()).id)).toMatchObject({ status: 'running' });
  });

  it('is refused where activities could not be kept safely, with the way out', () => {
    const wayOut =
      'Supported are better-sqlite3, postgres, mysql, mariadb. Give the tracker a database of its own with the option `connection`';
    const message = (options: object) => {
      try {
        trackerOptions(options as DataSourceOptions, '');
        return 'none';
      } catch (error) {
        return `${(error as { code: string }).code}: ${(error as Error).message}`;
      }
    };
    expect(message({ type: 'sqljs', location: 'app.db' })).toContain('would overwrite each other');
    for (const options of [
      { type: 'sqljs' },
      { type: 'mongodb' },
      { type: 'cockroachdb' },
      { type: 'better-sqlite3', database: 'x', readonly: true },
    ]) {
      expect(message(options)).toMatch(/^ACTIVITY_STORE_UNSUPPORTED: /);
      expect(message(options)).toContain(wayOut);
    }
  });

  it('takes of replication the writer, with its address and credentials', () => {
    const options = trackerOptions(
      {
        type: 'postgres',
        host: 'reader',
        schema: 'ops',
        ssl: true,
        extra: { max: 100, application_name: 'app', types: {} },
        poolSize: 50,
        parseInt8: true,
        replication: { master: { host: 'writer', username: 'w', password: 'secret' }, slaves: [{ host: 'reader' }] },
      },
      '',
    );
    expect(options).toMatchObject({
      host: 'writer',
      username: 'w',
      password: 'secret',
      schema: 'ops',
      ssl: true,
      extra: { max: 4, application_name: 'app' },
    });
    for (const left of ['replication', 'parseInt8', 'poolSize', 'namingStrategy'])
      expect(options).not.toHaveProperty(left);
    expect(options.extra).not.toHaveProperty('types');
  });

  it('that is not there says what to do', async () => {
    const { SqlActivityStore } = await import('../../libs/activity/src/storage/sql-activity-store.js');
    const { resolveModuleOptions } = await import('../../libs/activity/src/config/activity-module.options.js');
    const silent = { warn: () => undefined, error: () => undefined, debug: () => undefined };
    const open = (name?: string) =>
      new SqlActivityStore(resolveModuleOptions(name ? { dataSource: name } : {}), () => undefined, silent).open();
    await expect(open()).rejects.toMatchObject({
      code: 'ACTIVITY_STORE_UNAVAILABLE',
      message: expect.stringContaining('no unnamed TypeORM data source') as unknown,
    });
    await expect(open('audit')).rejects.toThrow('no TypeORM data source is named "audit"');
    expect(await refused({ type: 'better-sqlite3', database: '/dev/null/app.db' })).toMatchObject({
      code: 'ACTIVITY_STORE_UNAVAILABLE',
    });
  });
});

async function tablesOf(app: DataSource): Promise<string[]> {
  const sql = {
    'better-sqlite3': `SELECT name AS t FROM sqlite_master WHERE type = 'table'`,
    postgres: `SELECT table_name AS t FROM information_schema.tables WHERE table_schema = 'public'`,
    mariadb: `SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE()`,
  }[app.options.type as 'postgres'];
  const rows = await app.query<{ t: string }[]>(sql);
  return rows
    .map(({ t }) => t)
    .filter((name) => !name.startsWith('sqlite_'))
    .toSorted();
}
