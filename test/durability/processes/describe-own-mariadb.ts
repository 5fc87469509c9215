import { execFileSync } from 'node:child_process';
import { describe, it } from '@jest/globals';

/** A server that a test may kill is not the one that the other suites use: its program must be here. */
export function describeWithOwnMariadb(block: () => void): void {
  const absent = 'skipped: no mariadbd and mariadb-install-db in PATH';
  try {
    execFileSync('mariadbd', ['--version'], { stdio: 'ignore' });
    describe('with a server of its own', block);
  } catch {
    if (process.env.CI === 'true') {
      it(absent, () => {
        throw new Error(`${absent}; with CI=true every suite has to run`);
      });
    } else it.skip(absent, () => {});
    describe.skip('with a server of its own', block);
  }
}
