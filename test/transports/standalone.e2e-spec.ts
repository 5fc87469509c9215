import type { DataSourceOptions } from 'typeorm';
import { describeEachDatabase } from '../support/databases.js';
import { PROGRAM_PATIENCE_MS, runProgram } from '../support/run-program.js';
import { closeApps, databaseFile, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

const program = (file: string) => new URL(`standalone/${file}`, import.meta.url);

describeEachDatabase('a standalone application', (database) => {
  it(
    'tracks methods and `run()`, writes all when it is closed, and its process ends by itself',
    async () => {
      const { options } = await database.create(import.meta.url);
      const { exitCode, stdout, stderr } = await runProgram(program('app.ts'), options);
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('marker ') as string });
      expect(stderr).not.toContain('Error');
      const said = JSON.parse(stdout.split('marker ')[1]!) as { report: string; value: number; id: string };
      expect(said.value).toBe(7);
      const { probe } = await trackedApp({}, { database: options });
      expect(await probe.rows()).toMatchObject([
        {
          id: said.report,
          type: 'report',
          status: 'succeeded',
          actor: { id: 'the nightly script' },
          origin: { kind: null, label: 'Reports.build' },
          latestMessage: 'building',
        },
        { type: 'run', status: 'succeeded', actor: { id: 'ops' }, latestMessage: 'running' },
        { id: said.id, type: 'left over', status: 'interrupted', reason: 'shutdown' },
      ]);
    },
    PROGRAM_PATIENCE_MS,
  );
});

describe('a command line of nest-commander', () => {
  it(
    'has an activity for each run of a command, keeps its exit code, and ends by itself',
    async () => {
      const options: DataSourceOptions = { type: 'better-sqlite3', database: databaseFile() };
      expect(await runProgram(program('cli.ts'), options, ['import', 'contacts.csv'])).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining('imported 3') as string,
      });
      expect(await runProgram(program('cli.ts'), options, ['import', 'missing.csv'])).toMatchObject({
        exitCode: 3,
        stderr: expect.stringContaining('there is no missing.csv') as string,
      });
      const { probe } = await trackedApp({}, { database: options });
      const [first, read, second, missed] = await probe.rows();
      expect(first).toMatchObject({
        type: 'import',
        status: 'succeeded',
        actor: { id: 'ada' },
        resource: { type: 'file', id: 'contacts.csv' },
        origin: { kind: 'cli', label: 'ImportCommand.run' },
      });
      expect(read).toMatchObject({ type: 'import.file', parentId: first!.id, latestMessage: 'reading contacts.csv' });
      expect(second).toMatchObject({ type: 'import', status: 'failed', reason: 'error' });
      expect(missed).toMatchObject({ type: 'import.file', status: 'failed', parentId: second!.id });
    },
    PROGRAM_PATIENCE_MS,
  );
});
