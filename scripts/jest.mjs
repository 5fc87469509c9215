import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root } from './root.mjs';

/**
 * Runs Jest with what its ESM support needs.
 * @param {string[]} args
 * @returns {Promise<number>} its exit code
 */
export async function jest(args) {
  const child = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(root, 'node_modules/jest/bin/jest.js'),
      ...args,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  // Jest stops its servers on these, and this process waits for it.
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', forward).on('SIGTERM', forward);
  const [code] = await once(child, 'close');
  return code ?? 1;
}
