import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import { durationsQuery } from '../../libs/activity/src/storage/recent-durations.js';
import { closeStores, openStore } from '../storage/open-stores.js';
import { describeEachDatabase, type TestDatabase } from '../support/databases.js';

const start = new Date('2026-11-25T12:00:00Z');

describeEachDatabase('how long activities ran', (database) => {
  let options: DataSourceOptions;
  let created: TestDatabase;

  beforeEach(async () => {
    created = await database.create(import.meta.url);
    options = created.options;
  });
  afterEach(async () => {
    await closeStores();
    await created.drop();
  });

  it('is read of the newest fifty successes of a type and scope, counted from their start, not from the queue', async () => {
    const { store, activity, end } = await openStore(options);
    const ran = async (n: number, values: object = {}, ending: object = {}) => {
      const startedAt = new Date(start.getTime() + n * 1_000);
      const row = activity({ createdAt: new Date(start.getTime() + n), startedAt, ...values });
      await store.insert(row);
      await store.settle(end(row.id, { endedAt: new Date(startedAt.getTime() + n), ...ending }));
    };
    await Promise.all(Array.from({ length: 60 }, (_, n) => ran(n + 1)));
    await Promise.all([
      ran(100, { type: 'other' }),
      ran(101, { scope: 'other' }),
      ran(102, { type: 'Image.pull' }),
      ran(103, {}, { status: 'failed', reason: 'error' }),
      ran(104, {}, { status: 'cancelled', reason: 'user' }),
    ]);
    await store.insert(activity());
    expect(await store.recentDurations({ type: 'image.pull', scope: 'default' })).toEqual(
      Array.from({ length: 50 }, (_, n) => 60 - n),
    );
    expect(await store.recentDurations({ type: 'image.pull', scope: 'other' })).toEqual([101]);
    for (const type of ["x' OR '1'='1", 'a\0', '%']) {
      expect(await store.recentDurations({ type, scope: 'default' })).toEqual([]);
    }
  });

  it('is read by the index of the list of a type, not by reading the table', async () => {
    const { run } = await openStore(options);
    await Promise.all(Array.from({ length: 3_000 }, (_, n) => run({ type: `type ${n % 100}` }, {})));
    const { dataSource, entities } = createDatabase(options, '', () => undefined);
    await dataSource.initialize();
    const [sql, values] = durationsQuery(dataSource, entities, {
      type: 'type 7',
      scope: 'default',
    }).getQueryAndParameters();
    await dataSource.query(database.kind === 'mariadb' ? 'ANALYZE TABLE activities' : 'ANALYZE');
    const explain = database.kind === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
    const plan = JSON.stringify(await dataSource.query(`${explain} ${sql}`, values));
    await dataSource.destroy();
    expect(plan).toContain('activities_by_type');
    expect(plan).not.toMatch(/Seq Scan on activities|SCAN activity\b|"table":"activity","type":"ALL"/);
  });
});
