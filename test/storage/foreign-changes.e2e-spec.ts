import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { newActivityId } from '../../libs/activity/src/storage/activity-id.js';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import { foreignChangesQuery } from '../../libs/activity/src/storage/foreign-changes.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore } from './open-stores.js';

const by = { id: 'ada', name: 'Ada' };
const requestedAt = new Date('2026-11-25T12:00:00.000Z');

describeEachDatabase('what others have done to the activities of a process', (database) => {
  let options: DataSourceOptions;

  beforeEach(async () => ({ options } = await database.create(import.meta.url)));
  afterEach(closeStores);

  it('[F11] is each request to stop, with who and why, and of those named which have ended', async () => {
    const { store, run } = await openStore(options);
    const other = await openStore(options);
    const cancel = { requestedAt, by, reason: 'wrong tag' };
    const [untouched, asked, superseded, forced] = [await run(), await run(), await run(), await run()];
    const waiting = await run({ status: 'queued' });
    const strange = await other.run();
    for (const { id } of [asked, forced, waiting, strange]) await other.store.requestCancel(id, cancel);
    await other.store.requestCancel(superseded.id, cancel, 'superseded');
    await other.store.forceEnd(forced.id, requestedAt);

    const found = async (ids: string[]) => (await store.foreignChanges(ids)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const running = [
      { id: asked.id, status: 'cancelling', reason: null, cancel },
      { id: superseded.id, status: 'cancelling', reason: 'superseded', cancel },
    ];
    expect(await found([])).toEqual(running);
    expect(await found([untouched.id, newActivityId(new Date()), 'no id'])).toEqual(running);
    expect(await found([untouched, asked, superseded, forced, waiting].map(({ id }) => id.toUpperCase()))).toEqual([
      ...running,
      { id: forced.id, status: 'cancelled', reason: 'forced', cancel },
      { id: waiting.id, status: 'cancelled', reason: 'user', cancel },
    ]);
    expect(await store.get(superseded.id)).toMatchObject({ status: 'cancelling', reason: null });
  });

  it('is read by two indexes, however long the history is', async () => {
    const { store, run, end } = await openStore(options);
    const made = await Promise.all(
      Array.from({ length: 4_000 }, (_, n) => run({}, n % 2 ? { status: 'cancelled', reason: 'user' } : {})),
    );
    for (const { id } of made.slice(0, 10)) await store.settle(end(id));
    const { dataSource, entities } = createDatabase(options, '', () => undefined);
    await dataSource.initialize();
    const of = { ownerId: store.ownerId, ids: made.slice(0, 100).map(({ id }) => id) };
    const [sql, values] = foreignChangesQuery(dataSource, entities, of).getQueryAndParameters();
    await dataSource.query(database.kind === 'mariadb' ? 'ANALYZE TABLE activities' : 'ANALYZE');
    const explain = database.kind === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
    const plan = JSON.stringify(await dataSource.query(`${explain} ${sql}`, values));
    await dataSource.destroy();
    expect(plan).toContain('activities_by_status');
    expect(plan).toMatch(/activities_pkey|PK_|sqlite_autoindex_activities|PRIMARY/);
    expect(plan).not.toMatch(/Seq Scan on|SCAN activity\b|"table":"activity","type":"ALL"/);
  });
});
