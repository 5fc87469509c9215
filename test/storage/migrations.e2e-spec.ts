import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions, type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  ACTIVITY_COLUMNS,
  CHORE_COLUMNS,
  KEY_COLUMNS,
  LIMIT_COLUMNS,
  MESSAGE_COLUMNS,
  OWNER_COLUMNS,
  SLOT_COLUMNS,
} from '../../libs/activity/src/storage/activity-entities.js';
import { newActivityId } from '../../libs/activity/src/storage/activity-id.js';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import { ensureSchema } from '../../libs/activity/src/storage/migrate.js';
import { activityMigrations } from '../../libs/activity/src/storage/migrations/activity-migrations.js';
import { trackerOptions } from '../../libs/activity/src/storage/tracker-options.js';
import { describeEachDatabase, type TestDatabase } from '../support/databases.js';
import { closeStores, openStore, unopenedStore } from './open-stores.js';
import { BootProcesses } from './processes/boot-processes.js';

const names = [
  'CreateActivityTables1795593600000',
  'IndexActivityLists1795593660000',
  'CreateActivityKeys1795593720000',
  'AddProgressDetails1795593780000',
  'AddCriticalSection1795593840000',
  'AddChores1795593900000',
  'AddLeases1795593960000',
  'IndexScopes1795594080000',
  'AddLimits1795594140000',
  'AddAttempts1795594260000',
];
let processes: BootProcesses;

beforeAll(() => {
  processes = new BootProcesses(4);
});
afterAll(() => processes.end());
afterEach(closeStores);

describeEachDatabase('the schema', (database) => {
  let options: DataSourceOptions;
  let created: TestDatabase;

  beforeEach(async () => {
    created = await database.create(import.meta.url);
    options = created.options;
  });
  afterEach(() => created.drop());

  it('has the columns of the entities', async () => {
    await openStore(options);
    const app = await new DataSource(trackerOptions(options, '')).initialize();
    const runner = app.createQueryRunner();
    for (const [name, columns] of Object.entries({
      activities: ACTIVITY_COLUMNS,
      activity_messages: MESSAGE_COLUMNS,
      activity_owners: OWNER_COLUMNS,
      activity_chores: CHORE_COLUMNS,
      activity_keys: KEY_COLUMNS,
      activity_limits: LIMIT_COLUMNS,
      activity_slots: SLOT_COLUMNS,
    })) {
      const table = await runner.getTable(name);
      const found = table!.columns.map((column) => [column.name, column.isNullable, column.isPrimary]);
      expect(found).toEqual(
        Object.entries(columns).map(([column, spec]) => [column, 'nullable' in spec, 'primary' in spec]),
      );
    }
    await runner.release();
    await app.destroy();
  });

  it('is brought up from an older one without losing a row [C90]', async () => {
    const older = await new DataSource({
      ...trackerOptions(options, ''),
      migrations: activityMigrations('').slice(0, 1),
    }).initialize();
    await older.runMigrations();
    const rows = Array.from({ length: 100 }, () => ({ id: newActivityId(new Date()) }));
    for (const { id } of rows) {
      await older.query(
        'INSERT INTO activities (id, scope, type, status, cancellable, metadata, created_at, updated_at, owner_id, fence) ' +
          `VALUES ('${id}', 'default', 'image.pull', 'running', true, '{}', 1, 1, '${id}', 1)`,
      );
      await older.query(
        'INSERT INTO activity_messages (activity_id, seq, at, level, text, source) ' +
          `VALUES ('${id}', 1, 1, 'info', 'line 1', 'log')`,
      );
    }
    await older.destroy();

    await expect(unopenedStore(options, { migrations: 'check' }).store.open()).rejects.toMatchObject({
      code: 'ACTIVITY_MIGRATIONS_PENDING',
      pending: names.slice(1),
    });
    const { store } = await openStore(options);
    expect((await store.list({ limit: 200 })).items).toHaveLength(100);
    for (const { id } of rows) expect(await store.messages(id, {})).toHaveLength(1);
    await expect(openStore(options, { migrations: 'check' })).resolves.toBeDefined();
  });

  it('can be altered by a later migration, with all lines kept and still going along [C90]', async () => {
    const { run, store, line, end } = await openStore(options);
    const rows = await Promise.all(Array.from({ length: 100 }, () => run()));
    await Promise.all(rows.map(({ id }) => store.append(line(id, 1))));
    const altered = createDatabase(options, '', () => undefined);
    Object.assign(altered.dataSource.options, { migrations: [...activityMigrations(''), WidenTitle1795600000000] });
    await altered.open();
    expect(await ensureSchema(altered, 'run')).toEqual(['WidenTitle1795600000000']);
    await altered.close();
    for (const { id } of rows) expect(await store.messages(id, {})).toHaveLength(1);
    await Promise.all(rows.map(({ id }) => store.settle(end(id))));
    expect(await store.clearHistory({})).toBe(100);
  });

  it('is looked at, or not at all, where that is asked for', async () => {
    await expect(unopenedStore(options, { migrations: 'check' }).store.open()).rejects.toMatchObject({
      code: 'ACTIVITY_MIGRATIONS_PENDING',
      pending: names,
      message: expect.stringContaining('npm run migration:run') as unknown,
    });
    await expect(unopenedStore(options, { migrations: 'off' }).store.open()).rejects.toMatchObject({
      code: 'ACTIVITY_STORE_UNAVAILABLE',
    });
    await openStore(options);
    const { run } = await openStore(options, { migrations: 'off' });
    await run();
  });

  it('is left alone by an app that synchronizes, with and without a schema and a prefix of its own [C90]', async () => {
    const own = database.kind === 'postgres' ? { schema: 'ops' } : {};
    const { store, run } = await openStore({ ...options, ...own, entityPrefix: 'app_' });
    const { id } = await run({}, {});
    for (const entities of [[], trackerOptions(options, '').entities]) {
      const app = await new DataSource({ ...options, ...own, entities }).initialize();
      const shape = async () => {
        const table = await app.createQueryRunner().getTable(own.schema ? `${own.schema}.activities` : 'activities');
        return { columns: table!.columns.length, indexes: new Set(table!.indices.map(({ name }) => name)) };
      };
      const asMigrated = await shape();
      expect(asMigrated.indexes.size).toBe(8);
      await app.synchronize();
      expect(await shape()).toEqual(asMigrated);
      await app.destroy();
      expect(await store.get(id)).toMatchObject({ status: 'succeeded' });
    }
  });

  it('is made once by four processes that boot at once on an empty database [C90]', async () => {
    expect(await processes.bootOn(options)).toEqual([{ ok: true }, { ok: true }, { ok: true }, { ok: true }]);
    const app = await new DataSource(trackerOptions(options, '')).initialize();
    const history = await app.query<{ name: string }[]>('SELECT name FROM activity_migrations ORDER BY id');
    const [rows] = await app.query<[{ n: unknown }]>('SELECT COUNT(*) AS n FROM activities');
    const owners = await app.query('SELECT id FROM activity_owners');
    await app.destroy();
    expect(history.map(({ name }) => name)).toEqual(names);
    expect(Number(rows.n)).toBe(4);
    expect(owners).toEqual([]);
  });
});

describe('a migration', () => {
  it('that fails leaves SQLite as it was, and writes go on', async () => {
    const database = createDatabase({ type: 'better-sqlite3', database: ':memory:' }, '', () => undefined);
    await database.open();
    await ensureSchema(database, 'run');
    const failing = database.migrate(async (queryRunner) => {
      await queryRunner.query('DROP TABLE activity_messages');
      throw new Error('broken');
    });
    const waiting = database.change('DELETE FROM activity_messages', []);
    await expect(failing).rejects.toThrow('broken');
    expect(await waiting).toBe(0);
    expect(await database.dataSource.query('PRAGMA foreign_keys')).toEqual([{ foreign_keys: 1 }]);
    await database.close();
  });
});

/** As a later version may bring it: on SQLite TypeORM rebuilds the table for it. */
class WidenTitle1795600000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const table = (await queryRunner.getTable('activities'))!;
    const title = table.findColumnByName('title')!;
    await queryRunner.changeColumn(table, title, Object.assign(title.clone(), { length: '300' }));
    if (queryRunner.dataSource.options.type !== 'better-sqlite3') return;
    await queryRunner.query(
      'CREATE TRIGGER activity_messages_go_along AFTER DELETE ON activities FOR EACH ROW ' +
        'BEGIN DELETE FROM activity_messages WHERE activity_id = OLD.id; END',
    );
  }

  async down(): Promise<void> {}
}
