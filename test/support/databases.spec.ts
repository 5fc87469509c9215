import { beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { describeEachDatabase, type TestDatabase } from './databases.js';

describeEachDatabase('a database of a suite', (database) => {
  let own: TestDatabase;

  beforeAll(async () => {
    own = await database.create(import.meta.url);
  });

  it('opens with its options, is empty, and takes a table', async () => {
    const dataSource = await new DataSource(own.options).initialize();
    await dataSource.query('CREATE TABLE kept (id int)');
    await dataSource.query('INSERT INTO kept VALUES (1)');
    expect(await dataSource.query('SELECT id FROM kept')).toEqual([{ id: 1 }]);
    await dataSource.destroy();
  });

  it('shares nothing with another one of the same suite', async () => {
    const other = await database.create(import.meta.url);
    const dataSource = await new DataSource(other.options).initialize();
    await expect(dataSource.query('SELECT id FROM kept')).rejects.toThrow('kept');
    await dataSource.destroy();
  });

  it('is gone once it is dropped, and dropping it again is harmless', async () => {
    const dropped = await database.create(import.meta.url);
    await makeFile(dropped);
    await dropped.drop();
    await dropped.drop();
    expect(await canOpen(dropped)).toBe(false);
  });

  it('hands out options that a test may change without changing those of the next', () => {
    Object.assign(own.options, { database: 'elsewhere' });
    expect(own.options.database).not.toBe('elsewhere');
  });

  it('carries the name of its suite', () => {
    expect(String(own.options.database)).toContain('databases_spec');
  });
});

describe('what a block created', () => {
  const created: TestDatabase[] = [];

  describeEachDatabase((database) => {
    it(`is there while the block runs on ${database.name}`, async () => {
      const own = await database.create(import.meta.url);
      created.push(own);
      await makeFile(own);
      expect(await canOpen(own)).toBe(true);
    });
  });

  it('is dropped when the block has ended', async () => {
    expect(created.length).toBeGreaterThan(0);
    for (const database of created) {
      expect(await canOpen(database)).toBe(false);
    }
  });
});

/** SQLite has no file before the first connection. */
async function makeFile({ options }: TestDatabase): Promise<void> {
  await (await new DataSource(options).initialize()).destroy();
}

async function canOpen({ options }: TestDatabase): Promise<boolean> {
  // Without this, better-sqlite3 makes a file that is missing.
  const dataSource = new DataSource({ ...options, ...(options.type === 'better-sqlite3' && { fileMustExist: true }) });
  return dataSource.initialize().then(
    () => dataSource.destroy().then(() => true),
    () => false,
  );
}
