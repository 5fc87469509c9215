import { existsSync } from 'node:fs';
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
    const { options } = dropped;
    await dropped.drop();
    await dropped.drop();
    if (options.type === 'better-sqlite3') {
      expect(existsSync(options.database)).toBe(false);
    } else {
      await expect(new DataSource(options).initialize()).rejects.toThrow();
    }
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
      created.push(await database.create(import.meta.url));
      await expect(canOpen(created.at(-1))).resolves.toBe(true);
    });
  });

  it('is dropped when the block has ended', async () => {
    expect(created.length).toBeGreaterThan(0);
    for (const database of created) {
      expect(await canOpen(database)).toBe(false);
    }
  });
});

async function canOpen(database: TestDatabase | undefined): Promise<boolean> {
  if (!database) return false;
  const { options } = database;
  // better-sqlite3 would make the file anew.
  if (options.type === 'better-sqlite3') {
    return existsSync(options.database.replace(/app\.db$/, ''));
  }
  try {
    await (await new DataSource(options).initialize()).destroy();
    return true;
  } catch {
    return false;
  }
}
