import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DataSourceOptions } from 'typeorm';

/** A process that compiles the library first: seconds alone, more beside other suites. */
export const PROGRAM_PATIENCE_MS = 120_000;

/**
 * Runs a program to its own end, in a process without Jest, which can load no package of CommonJS that needs Nest.
 * @param database  for the program, as JSON in `DATABASE`.
 */
export function runProgram(
  program: URL,
  database: DataSourceOptions,
  args: string[] = [],
): Promise<{ exitCode: unknown; stdout: string; stderr: string }> {
  const env = { ...process.env, DATABASE: JSON.stringify(database), OPERATOR: 'ada' };
  return new Promise((resolve) => {
    // Not all of tsx: its own `require` would give such a package a second copy of Nest.
    execFile(
      process.execPath,
      ['--import', 'tsx/esm', fileURLToPath(program), ...args],
      { env },
      (error, stdout, stderr) => resolve({ exitCode: error ? error.code : 0, stdout, stderr }),
    );
  });
}
