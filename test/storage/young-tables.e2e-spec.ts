import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { describePostgres } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { closeStores, openStore } from './open-stores.js';

const CALLS = 3_000;
const AT_ONCE = 64;

afterEach(closeStores);

describePostgres('a young table', (database) => {
  let app: DataSource;
  beforeAll(async () => {
    app = await new DataSource((await database.create(import.meta.url)).options).initialize();
  });
  afterAll(() => app.destroy());

  it('is not read by each batch while the server has not analyzed it', async () => {
    const { activity, end, run, store } = await openStore(app.options);
    await app.query('ALTER TABLE activities SET (autovacuum_enabled = off)');
    let left = CALLS;
    const calls = async (): Promise<void> => {
      while (left-- > 0) {
        const row = activity();
        await store.insert(row);
        await store.settle(end(row.id));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, calls));
    const { read } = await eventually(
      async () => {
        // A connection tells what it has read with what it does next.
        await run({}, {});
        return readRows(app);
      },
      ({ written }) => written >= CALLS,
    );
    // One for each end, and some before it is known how large the table is.
    expect(read / CALLS).toBeLessThan(3);
  });
});

/** What the server says of the table: it learns it some time after a commit. */
async function readRows(app: DataSource): Promise<{ read: number; written: number }> {
  const [row] = await app.query<Record<string, string>[]>(
    `SELECT seq_tup_read, n_tup_upd AS written, (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid) AS by_index
     FROM pg_stat_user_tables t WHERE relname = 'activities'`,
  );
  return { read: Number(row?.seq_tup_read) + Number(row?.by_index), written: Number(row?.written) };
}
