import { execFile } from 'node:child_process';
import { promisify, stripVTControlCharacters } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { activityMigrations } from '../../libs/activity/src/storage/migrations/activity-migrations.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore } from './open-stores.js';

const root = new URL('../..', import.meta.url);
const all = activityMigrations('').map((Migration) => new Migration().name!);
const newest = all.at(-1)!;

afterEach(closeStores);

describeEachDatabase("TypeORM's command line", (database) => {
  let options: DataSourceOptions;

  beforeAll(async () => {
    ({ options } = await database.create(import.meta.url));
  });

  it('runs, shows and reverts the same migrations with the same history as the tracker', async () => {
    const url = urlOf(options);
    // PostgreSQL's and MariaDB's runs differ from SQLite's in their statements only, so one of them shows them all.
    expect(await migration('run', url)).toContain(`${newest} has been executed successfully`);
    await openStore(options, { migrations: 'check' });
    expect(await migration('revert', url)).toContain(`${newest} has been reverted successfully`);
    await expect(openStore(options, { migrations: 'check' })).rejects.toMatchObject({ pending: [newest] });
    if (database.kind !== 'sqlite') return;
    expect((await migration('show', url)).trim().split('\n')).toEqual([
      ...all.slice(0, -1).map((name, index) => `[X] ${index + 1} ${name}`),
      `[ ] ${newest}`,
    ]);
  });
});

describe('DATABASE_URL', () => {
  it('of an unknown kind is refused, naming what is known', async () => {
    process.env.DATABASE_URL = 'oracle://here';
    await expect(import('../../ormconfig.js')).rejects.toThrow(
      'it must begin with sqlite:, postgres://, mysql:// or mariadb://',
    );
  });
});

/** As the package's script does: `npm run migration:run`. */
async function migration(command: string, url: string): Promise<string> {
  const script = ['--import', 'tsx', 'node_modules/typeorm/cli.js', `migration:${command}`, '-d', 'ormconfig.ts'];
  const { stdout } = await promisify(execFile)(process.execPath, script, {
    cwd: root,
    env: { ...process.env, DATABASE_URL: url, NODE_OPTIONS: '' },
  });
  // It colours its text where CI is set.
  return stripVTControlCharacters(stdout);
}

function urlOf(options: DataSourceOptions): string {
  if (options.type === 'better-sqlite3') return `sqlite:${options.database}`;
  const { type, host, port, username, password, database } = options as unknown as Record<string, string>;
  return `${type}://${username}:${password}@${host}:${port}/${database}`;
}
