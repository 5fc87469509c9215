import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { describePostgres } from '../support/databases.js';
import { describeWithServer } from '../support/servers.js';
import type { UnclosedOrder } from './processes/unclosed.js';

const script = fileURLToPath(new URL('processes/unclosed.ts', import.meta.url));
const loader = import.meta.resolve?.('tsx') ?? 'tsx';

/** What it prints; rejects where it does not end by itself. */
async function run(order: UnclosedOrder): Promise<string> {
  const args = ['--import', loader, script, JSON.stringify(order)];
  return (await promisify(execFile)(process.execPath, args, { timeout: 20_000 })).stdout.trim();
}

describeWithServer('REDIS', 'a script that closes nothing', (redis) => {
  describePostgres('and hears others', (database) => {
    it.each([
      ['PostgreSQL', {}],
      ['Redis', { redis }],
    ])('ends by itself, with a bus by %s', async (_name, bus) => {
      const { options } = await database.create(import.meta.url);
      // What keeps the pools' connections is not what is shown here.
      const quick = { ...options, extra: { idleTimeoutMillis: 50 } } as DataSourceOptions;
      expect(await run({ options: quick, ...bus })).toBe('done');
    });
  });
});
