import { Readable, Writable } from 'node:stream';
import {
  ActivityCommandError,
  ActivityOptionError,
  cancellationOf,
  currentActivity,
  type ActivityContext,
  type ActivityOptions,
  type CommandOptions,
} from 'nestjs-activity';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';

const node = process.execPath;

describe('exec', () => {
  let tracked: TrackedApp;

  beforeEach(async () => {
    tracked = await trackedApp({});
  });
  afterEach(closeApps);

  /** Runs a command in an activity; its first line is waited for with `firstLine`. */
  function run(
    command: string,
    args: readonly string[],
    options: CommandOptions = {},
    of: Partial<ActivityOptions> = {},
  ) {
    return tracked.activities.runInBackground({ type: 'command', ...of }, ({ exec }) => exec(command, args, options));
  }

  function within<T>(work: (activity: ActivityContext) => Promise<T>): Promise<T> {
    return tracked.activities.run({ type: 'command' }, work);
  }

  async function firstLine(id: string): Promise<string> {
    for (const end = Date.now() + 20_000; Date.now() < end;) {
      const [line] = await tracked.probe.lines(id);
      if (line !== undefined) return line;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error('no line came');
  }

  const messages = async () => {
    const { id } = await tracked.probe.only();
    return tracked.activities.messages(id, { limit: 1000 });
  };

  it('[C63] has every line of a command that prints 10,000 and exits at once', async () => {
    const { id, done } = await run(node, [
      '-e',
      `console.log(Array.from({ length: 10_000 }, (_, n) => n).join('\\n'))`,
    ]);
    expect(await done).toEqual({ exitCode: 0, signal: null });
    const row = await tracked.probe.settled(id);
    expect(row).toMatchObject({ status: 'succeeded', messageCount: 10_000, latestMessage: '9999' });
  });

  it('[C63] a cancel ends what the command has started, too: none of it is left', async () => {
    const { id, done, signal } = await run('sh', ['-c', 'sleep 300 & echo $! $$; wait']);
    const pids = (await firstLine(id)).split(' ').map(Number);
    expect(pids.map(isAlive)).toEqual([true, true]);
    await tracked.activities.cancel(id, { by: 'ada' });
    await expect(done).rejects.toBe(cancellationOf(signal));
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(await tracked.probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('[C63] what does not listen to SIGTERM is killed after the grace, in the command or below it', async () => {
    const deaf = `trap '' TERM; (trap '' TERM; echo $$; while :; do sleep 1; done) & while :; do sleep 1; done`;
    const { id, done, signal } = await run('sh', ['-c', deaf], { killGrace: 100 });
    const pid = Number(await firstLine(id));
    await tracked.activities.cancel(id, { by: 'ada' });
    await expect(done).rejects.toBe(cancellationOf(signal));
    expect(isAlive(pid)).toBe(false);
  });

  it('the last words of a command that is asked to end are kept, half a line too', async () => {
    const code = `process.on('SIGTERM', () => process.stdout.write('last\\nwor', () => process.exit(0))); console.log('up'); setInterval(() => 0, 1000)`;
    const { id, done } = await run(node, ['-e', code]);
    await firstLine(id);
    await tracked.activities.cancel(id, { by: 'ada' });
    await expect(done).rejects.toMatchObject({ abortReason: 'user' });
    expect(await tracked.probe.lines((await tracked.probe.settled(id)).id)).toEqual([
      'up',
      expect.stringContaining('was cancelled by ada'),
      'last',
      'wor',
    ]);
  });

  it('[C53] a command that is killed in the middle of a line leaves what it has said', async () => {
    const failure = within(({ exec }) =>
      exec(node, ['-e', `process.stdout.write('whole\\nha', () => process.kill(process.pid, 'SIGKILL'))`]),
    );
    await expect(failure).rejects.toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    expect((await messages()).map(({ text }) => text).slice(0, 2)).toEqual(['whole', 'ha']);
  });

  it('keeps the order of each of two streams, the errors as warnings', async () => {
    const code = `for (let n = 0; n < 300; n++) { console.log('out ' + n); console.error('err ' + n); }`;
    await within(({ exec }) => exec(node, ['-e', code]));
    const all = await messages();
    const of = (stream: string) => all.filter(({ source }) => source === stream);
    expect(of('stdout').map(({ text, level }) => [text, level])).toEqual(
      Array.from({ length: 300 }, (_, n) => [`out ${n}`, 'info']),
    );
    expect(of('stderr').map(({ text, level }) => [text, level])).toEqual(
      Array.from({ length: 300 }, (_, n) => [`err ${n}`, 'warn']),
    );
  });

  it('passes on folder, environment, input and the options of the writers', async () => {
    const code = `process.stdin.pipe(process.stdout); console.error(process.cwd(), process.env.ANSWER, process.env.HOME ?? 'none')`;
    await within(async ({ exec }) => {
      const options = { cwd: '/', env: { ANSWER: '42', HOME: undefined }, stderr: { level: 'debug' as const } };
      await exec(node, ['-e', code], { ...options, input: 'text\n' });
      await exec(node, ['-e', code], { ...options, input: Buffer.from('bytes\n') });
      await exec(node, ['-e', code], { ...options, input: Readable.from(['a ', 'stream\n']) });
      // One that does not read what it is given.
      await exec(node, ['-e', ''], { input: 'x'.repeat(1_000_000) });
    });
    const all = await messages();
    expect(all.filter(({ source }) => source === 'stdout').map(({ text }) => text)).toEqual([
      'text',
      'bytes',
      'a stream',
    ]);
    expect(all.find(({ source }) => source === 'stderr')).toMatchObject({ text: '/ 42 none', level: 'debug' });
  });

  it('no shell takes its arguments apart', async () => {
    await within(({ exec }) => exec(node, ['-e', 'console.log(process.argv[1])', '$(id); a  b | c']));
    expect((await messages())[0]?.text).toBe('$(id); a  b | c');
  });

  it('tells an exit code with the last lines of the errors, bounded, without colours', async () => {
    const code = `console.error('x'.repeat(100_000)); console.error('first'); console.error('\\u001B[31mlast\\u001B[39m\\n'); process.exit(3)`;
    const failure = within(({ exec }) => exec(node, ['-e', code]));
    await expect(failure).rejects.toBeInstanceOf(ActivityCommandError);
    await expect(failure).rejects.toMatchObject({
      code: 'ACTIVITY_COMMAND_FAILED',
      command: node,
      exitCode: 3,
      signal: null,
    });
    const { message } = (await failure.catch((error: unknown) => error)) as Error;
    expect(message).toMatch(/ended with the exit code 3: first\nlast$/);
    expect(message.length).toBeLessThan(1_500);
    expect(await tracked.probe.only()).toMatchObject({ status: 'failed', error: { code: 'ACTIVITY_COMMAND_FAILED' } });
    expect(await within(({ exec }) => exec(node, ['-e', code], { allowFailure: true }))).toEqual({
      exitCode: 3,
      signal: null,
    });
  });

  it('tells a program or a folder that is not there', async () => {
    const start = (command: string, options?: CommandOptions) =>
      within(({ exec }) => exec(command, ['--now'], options));
    await expect(start('no-such-program')).rejects.toMatchObject({
      code: 'ACTIVITY_COMMAND_FAILED',
      message: '`no-such-program --now` could not be started: there is no program "no-such-program" (ENOENT)',
    });
    await expect(start(node, { cwd: '/no/such/folder' })).rejects.toThrow(
      'there is no folder "/no/such/folder" (ENOENT)',
    );
    await expect(start('/')).rejects.toThrow('could not be started');
  });

  it('refuses arguments that are no texts, and unknown options', async () => {
    const refused = async (...call: unknown[]): Promise<string> => {
      const failure = within(({ exec }) => (exec as (...args: unknown[]) => Promise<unknown>)(...call));
      const error = await failure.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ActivityOptionError);
      return (error as Error).message;
    };
    expect(await refused('ls', ['-l', 1])).toContain('`args.1` must be text without NUL, and is of the type number');
    expect(await refused('ls', ['a\0b'])).toContain('`args.0`');
    expect(await refused('ls', '-l')).toContain('must be a list of texts');
    expect(await refused('')).toContain('`command`');
    expect(await refused('ls', [], { shell: true })).toContain('unknown option `shell` (allowed: cwd');
    expect(await refused('ls', [], { killGrace: 'soon' })).toContain('`killGrace`');
    expect(await refused('ls', [], { stdout: { level: 'loud' } })).toContain('exec, stdout');
    expect(await refused('ls', [], { env: { A: 1 } })).toContain('`env`');
  });

  it('a deadline and a signal of the caller end it, each with its own reason', async () => {
    const sleep = ['-e', 'setInterval(() => 0, 1000)'];
    const { id, done } = await run(node, sleep, {}, { timeout: 300 });
    await expect(done).rejects.toMatchObject({ abortReason: 'deadline' });
    expect(await tracked.probe.settled(id)).toMatchObject({ status: 'failed', reason: 'deadline' });
    const own = new AbortController();
    const stopped = within(({ exec }) =>
      exec(node, ['-e', `console.log('up'); ${sleep[1]}`], { signal: own.signal, stdout: { tee: abortOnOutput(own) } }),
    );
    await expect(stopped).rejects.toThrow('enough');
    await expect(within(({ exec }) => exec('no-such-program', [], { signal: own.signal }))).rejects.toThrow('enough');
  });

  it('does not wait for ever for a stranger that holds the output, and says so', async () => {
    // `setsid` takes it out of the group.
    const result = await within(({ exec }) => exec('sh', ['-c', 'setsid sleep 300 & echo $!'], { killGrace: 200 }));
    expect(result.exitCode).toBe(0);
    const [line, warning] = await messages();
    expect(warning).toMatchObject({
      level: 'warn',
      source: 'activity',
      text: expect.stringContaining('holds its output'),
    });
    process.kill(Number(line!.text));
  });

  it('[C63] nor, once cancelled, for a stranger that goes on to write', async () => {
    // It says its name itself: by then it has left the group.
    const script = `setsid sh -c 'echo $$; while echo x; do sleep 0.02; done' & exit 0`;
    const { id, done, signal } = await run('sh', ['-c', script], { killGrace: 200 });
    const pid = Number(await firstLine(id));
    try {
      await tracked.activities.cancel(id, { by: 'ada' });
      await expect(done).rejects.toBe(cancellationOf(signal));
      expect(await tracked.probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
      expect((await tracked.activities.messages(id, { level: ['warn'] })).map(({ text }) => text)).toEqual([
        expect.stringContaining('holds its output'),
      ]);
    } finally {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    }
  });

  it('works outside an activity, where nothing is kept', async () => {
    expect(await currentActivity().exec(node, ['-e', 'console.log(1)'])).toEqual({ exitCode: 0, signal: null });
  });
});

/** Aborts as soon as the command says anything. */
function abortOnOutput(controller: AbortController): Writable {
  return new Writable({
    write(_chunk, _encoding, callback) {
      controller.abort(new Error('enough'));
      callback();
    },
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
