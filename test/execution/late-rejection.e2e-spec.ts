import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const app = fileURLToPath(new URL('late-rejection/app.ts', import.meta.url));

/** How an application of its own process ends that an unhandled rejection would end; Jest itself hears of none. */
function runStrictly(...args: string[]): Promise<{ exitCode: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--unhandled-rejections=strict', '--import', 'tsx', app, ...args],
      (error, stdout, stderr) => resolve({ exitCode: error ? error.code : 0, output: stdout + stderr }),
    );
  });
}

describe('a process that an unhandled rejection ends', () => {
  it('[C15] goes on and ends by itself when the work loses a race and rejects later', async () => {
    const [ours, control] = await Promise.all([runStrictly(), runStrictly('--unhandled')]);
    expect(control).toEqual({ exitCode: 1, output: expect.stringContaining('unhandled') as string });
    expect(control.output).not.toContain('marker');

    expect(ours).toEqual({ exitCode: 0, output: expect.stringContaining('\nmarker ') as string });
    expect(JSON.parse(ours.output.split('\nmarker ')[1]!)).toEqual({
      deadline: 'deadline',
      cancelled: 'user',
      queue: expect.stringContaining('ActivityQueueTimeoutError') as string,
      background: 'failed',
      row: ['failed', 'deadline'],
    });
    // At most to be read among what is logged for debugging.
    expect(ours.output).not.toContain('too late');
    // Two processes that compile the library first: seconds alone, more beside other suites.
  }, 120_000);
});
