import { ActivityService, cancellationOf, type ActivityOptions } from 'nestjs-activity';
import type { ActivityProblem } from 'nestjs-activity/admin';
import type { Command } from '../../apps/demo/src/commands/commands.js';
import { CommandFailedError, runCommand } from '../../apps/demo/src/commands/run-command.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { DemoClient } from './support/demo-client.js';
import { DemoProcess, folder, stopDemos } from './support/demo-process.js';
import { until } from './support/until.js';

afterAll(stopDemos);

describe('POST /commands/:name', () => {
  let client: DemoClient;

  beforeAll(async () => {
    client = new DemoClient((await DemoProcess.start({ root: folder() })).url);
  });

  it('an unknown name is a 404 that lists what there is, and leaves no row', async () => {
    for (const name of ['rm', 'constructor', '..%2Fchatter']) {
      const answer = await client.post<{ message: string }>(`/commands/${name}`);
      expect(answer).toMatchObject({
        status: 404,
        body: { message: expect.stringContaining('npm-ls, git-log, chatter') },
      });
    }
    expect(await client.activities('type=command.run')).toEqual([]);
  });

  it('keeps the output while it runs, colours and all, and a cancel ends it', async () => {
    const call = client.post<ActivityProblem>('/commands/chatter');
    const { id, title } = await client.running('command.run', ({ messageCount }) => messageCount >= 3);
    expect(title).toBe('node chatter.js');
    await client.cancel(id, 'enough');
    expect(await call).toMatchObject({ status: 409, body: { code: 'ACTIVITY_CANCELLED' } });
    expect(await client.activity(id)).toMatchObject({
      status: 'cancelled',
      reason: 'user',
      cancel: { reason: 'enough' },
    });
    const [first] = await client.messages(id);
    expect(first).toMatchObject({ seq: 1, source: 'stdout', text: 'line 1 of 300, \u001B[32m0 %\u001B[39m' });
  });

  it('a command that fails leaves a failed row with its exit code and its last words, and says so', async () => {
    const answer = await client.post<{ message: string }>('/commands/git-log');
    const message = expect.stringMatching(/^`git log` ended with the exit code 128: fatal: not a git repository/);
    expect(answer).toMatchObject({ status: 500, body: { message } });
    const [row] = await client.activities('type=command.run&limit=1');
    expect(await client.activity(row!.id)).toMatchObject({ status: 'failed', error: { code: 'EXIT_128', message } });
  });
});

describe('runCommand', () => {
  let tracked: TrackedApp;
  let activities: ActivityService;

  beforeEach(async () => {
    tracked = await trackedApp({});
    activities = tracked.activities;
  });
  afterEach(closeApps);

  function run(code: string, options: Partial<ActivityOptions> = {}) {
    const command: Command = { line: 'node', program: process.execPath, args: ['-e', code] };
    return activities.runInBackground({ type: 'command', ...options }, (activity) =>
      runCommand(command, { cwd: '.', activity }),
    );
  }

  function lines(id: string, count: number): Promise<string[]> {
    return until(`${count} lines`, async () => {
      const texts = await tracked.probe.lines(id);
      return texts.length >= count ? texts : undefined;
    });
  }

  it('has every line before it is done: the standard error as warnings', async () => {
    const { id, done } = await run(`for (let i = 0; i < 2000; i++) console.log(i); console.error('odd')`);
    await done;
    const row = await tracked.probe.settled(id);
    expect(row).toMatchObject({ status: 'succeeded', messageCount: 2_001, warningCount: 1 });
    expect(await activities.messages(id, { level: ['warn'] })).toMatchObject([{ text: 'odd', source: 'stderr' }]);
  });

  it('ends what the command has started, too', async () => {
    const { id, done } = await run(
      `require('child_process').spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => 0, 1000)'], { stdio: 'inherit' });
       setInterval(() => 0, 1000)`,
    );
    expect(await lines(id, 1)).toEqual(['up']);
    await activities.cancel(id, { by: 'grace' });
    // It holds the output open: while it lives, the command is not done.
    await expect(done).rejects.toMatchObject({ abortReason: 'user' });
    expect(await tracked.probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('kills a command that does not listen to SIGTERM', async () => {
    const { id, done, signal } = await run(
      `process.on('SIGTERM', () => console.log('no')); console.log(process.pid); setInterval(() => 0, 1000)`,
    );
    const [pid] = await lines(id, 1);
    await activities.cancel(id, { by: 'grace' });
    await expect(done).rejects.toBe(cancellationOf(signal));
    expect(isAlive(Number(pid))).toBe(false);
    expect(await tracked.probe.lines(id)).toContain('no');
  });

  it('a deadline ends it, and it has failed', async () => {
    const { id, done } = await run('setInterval(() => 0, 1000)', { timeout: 300 });
    await expect(done).rejects.toMatchObject({ abortReason: 'deadline' });
    expect(await tracked.probe.settled(id)).toMatchObject({ status: 'failed', reason: 'deadline' });
  });

  it('tells an exit code, with the last line that says something', async () => {
    const { done } = await run(
      `console.error('first'); console.error('\\u001B[31mlast\\u001B[39m\\n'); process.exit(3)`,
    );
    await expect(done).rejects.toMatchObject({ code: 'EXIT_3', message: '`node` ended with the exit code 3: last' });
  });

  it('tells a signal that somebody else has sent', async () => {
    const { done } = await run(`process.kill(process.pid, 'SIGKILL')`);
    await expect(done).rejects.toMatchObject({ code: 'SIGKILL', message: '`node` was ended by SIGKILL' });
  });

  it('tells a program that is not installed', async () => {
    const command: Command = { line: 'no-such-program --now', program: 'no-such-program', args: ['--now'] };
    const failure = activities.run({ type: 'command' }, (activity) => runCommand(command, { cwd: '.', activity }));
    await expect(failure).rejects.toBeInstanceOf(CommandFailedError);
    await expect(failure).rejects.toMatchObject({
      code: 'ENOENT',
      message: '`no-such-program --now` could not be started: the program is not installed',
    });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
