import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const app = fileURLToPath(new URL('heap/app.ts', import.meta.url));

describe('two thousand activities on one long-lived parent', () => {
  it('leave no listener behind, on it or on a signal that they were given, and the heap flat', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', app]);
    const { grown, listeners } = JSON.parse(stdout.split('\nmarker ')[1]!) as { grown: number; listeners: number[] };
    expect(listeners).toEqual([0, 0]);
    // Four thousand activities, each with a few closures, would be megabytes if they were kept.
    expect(grown).toBeLessThan(1_000_000);
  }, 240_000);
});
