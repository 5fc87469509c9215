import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ActivityOptionError, type ActivityContext, type ActivityModuleOptions } from 'nestjs-activity';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

const numbered = (count: number, text = 'line'): string[] =>
  Array.from({ length: count }, (_, n) => `${text} ${n + 1}`);
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const written = (writer: Writable, text: string): Promise<void> =>
  new Promise((resolve) => writer.write(text, () => resolve()));
const ended = (writer: Writable, text = ''): Promise<void> =>
  new Promise((resolve) => writer.end(text, () => resolve()));

async function linesOf(
  work: (activity: ActivityContext, app: TrackedApp) => unknown,
  activity: ActivityModuleOptions = {},
): Promise<string[]> {
  const app = await trackedApp({}, { activity });
  await app.activities.run({ type: 'x' }, (context) => work(context, app));
  return app.probe.lines((await app.probe.only()).id);
}

describe('the last line without a newline', () => {
  it('[C53] is kept: at the end, of a cancel in the middle of it, and of work that throws, before the end is written', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'ended' }, ({ writer }) => ended(writer(), 'a\nb'));
    const half = deferred();
    const cancelled = activities.run({ type: 'cancelled' }, async ({ writer, signal, sleep }) => {
      writer().write('a\nhalf of');
      half.resolve();
      await sleep(60_000).catch(() => signal.throwIfAborted());
    });
    cancelled.catch(() => undefined);
    await half.promise;
    await activities.cancel((await probe.started('cancelled')).id, { wait: 'settled' });
    const thrown = activities.run({ type: 'thrown' }, ({ stdout }) => {
      stdout.write('a\nlast words');
      throw new Error('thrown');
    });
    await expect(thrown).rejects.toThrow('thrown');
    const rows = await probe.rows();
    expect(await Promise.all(rows.map(({ id }) => probe.lines(id)))).toEqual([
      ['a', 'b'],
      ['a', expect.stringContaining('was cancelled'), 'half of'],
      ['a', 'last words', 'thrown'],
    ]);
    for (const row of rows) expect(row.messageCount).toBe((await probe.lines(row.id)).length);
  });
});

describe('carriage returns', () => {
  it('[C54] make one line of a progress bar, and none of a CRLF', async () => {
    const lines = await linesOf(async ({ writer }) => {
      await ended(writer(), `${numbered(10, '%').join('\r')}\r100%\n`);
      const windows = writer();
      windows.write('one\r');
      windows.write('\ntwo\r\n');
      await ended(windows);
    });
    expect(lines).toEqual(['100%', 'one', 'two']);
  });

  it('[C54] of a bar of 50,000 states without a newline make one row, whose state is the latest message meanwhile', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { progressInterval: 1 } });
    const { id, done } = await activities.runInBackground({ type: 'x' }, async ({ writer, flushed }) => {
      const out = writer();
      for (let n = 1; n <= 50_000; n++) if (!out.write(`\r${n} of 50,000`)) await written(out, '');
      await flushed();
      while (!(await probe.row(id)).latestMessage?.startsWith('50000 of')) await nextTurn();
      expect((await probe.row(id)).messageCount).toBe(0);
    });
    await done;
    expect(await probe.lines(id)).toEqual(['50000 of 50,000']);
    // Not one write for each state: at most one an interval.
    expect((await probe.row(id)).version).toBeLessThan(5_000);
  });
});

describe('lines in the queue when the work ends', () => {
  it('[C59] are all kept, before the end: 500 lines and a cancel, 500 lines and an error', async () => {
    const { activities, probe } = await trackedApp({});
    const order: string[] = [];
    activities.on(({ name, activity }) => void order.push(`${name} ${activity.messageCount}`));
    const ready = deferred();
    const cancelled = activities.run({ type: 'cancelled' }, async ({ writer, signal }) => {
      const out = writer();
      for (const line of numbered(500)) out.write(`${line}\n`);
      ready.resolve();
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    cancelled.catch(() => undefined);
    await ready.promise;
    const { id } = await probe.started('cancelled');
    await activities.cancel(id, { wait: 'settled' });
    const failing = activities.run({ type: 'failed' }, ({ writer, log }) => {
      const out = writer();
      try {
        for (const line of numbered(500)) out.write(`${line}\n`);
        throw new Error('failed');
      } finally {
        log.info('in finally');
      }
    });
    await expect(failing).rejects.toThrow('failed');
    expect((await probe.lines(id)).slice(0, 500)).toEqual(numbered(500));
    expect(await probe.lines((await probe.settled('failed')).id)).toEqual([...numbered(500), 'in finally', 'failed']);
    expect(order.filter((event) => event.startsWith('settled'))).toEqual(['settled 501', 'settled 502']);
  });

  it('are kept by a writer that is destroyed, though Node had not handed them over', async () => {
    const lines = await linesOf(async ({ writer }) => {
      const tee = new PassThrough({ highWaterMark: 1 });
      const out = writer({ tee });
      for (const line of numbered(5)) out.write(`${line}\n`);
      out.write('half');
      expect(out.writableLength).toBeGreaterThan(0);
      out.destroy();
    });
    expect(lines).toEqual([...numbered(5), 'half']);
  });

  it('are kept of a corked writer, too', async () => {
    const lines = await linesOf(({ writer }) => {
      const out = writer();
      out.cork();
      out.write('corked\n');
      out.write('and cut');
    });
    expect(lines).toEqual(['corked', 'and cut']);
  });

  it('flushed() resolves when they can be read', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'x' }, async ({ id, writer, log, flushed }) => {
      const out = writer();
      out.write('one\ntwo\nhalf');
      log.info('three');
      await flushed();
      expect(await probe.lines(id)).toEqual(['one', 'two', 'three']);
      out.end();
      await out.flushed();
      expect(await probe.lines(id)).toEqual(['one', 'two', 'three', 'half']);
      await out.flushed();
    });
  });
});

describe('a writer', () => {
  it('[C68] is a Writable as any other: bytes, encodings, cork, nothing, an end with a tail', async () => {
    const lines = await linesOf(async ({ writer }) => {
      const out = writer();
      out.write('ñ latin1\n', 'latin1');
      out.write(new Uint8Array(Buffer.from('ñ bytes\n')));
      out.write(Buffer.from('ñ hex\n').toString('hex'), 'hex');
      out.write(Buffer.from('ñ base64\n').toString('base64'), 'base64');
      out.cork();
      out.write('one ');
      out.write('');
      out.write('line\n');
      out.uncork();
      expect(() => out.write('x', 'klingon' as BufferEncoding)).toThrow('klingon');
      out.setDefaultEncoding('latin1');
      out.write('é\n');
      await ended(out, 'tail');
      expect(out.writableFinished).toBe(true);
    });
    expect(lines).toEqual(['ñ latin1', 'ñ bytes', 'ñ hex', 'ñ base64', 'one line', 'é', 'tail']);
  });

  it('[C68] refuses objects and wrong options, saying what is allowed', async () => {
    await linesOf(({ writer }) => {
      const wrong = (options: object) => expect(() => writer(options)).toThrow(ActivityOptionError);
      wrong({ objectMode: true });
      wrong({ level: 'loud' });
      wrong({ tee: {} });
      wrong({ format: 'xml' });
      wrong({ frames: { log: 'x' } });
      expect(() => writer({ objectMode: true } as object)).toThrow(
        'unknown option `objectMode` (allowed: level, source',
      );
      expect(() => writer().write({})).toThrow(/Received an instance of Object/);
    });
  });

  it('works unbound, with a level, a source and a step of its own; stdout and stderr are made when asked for', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'x' }, async (activity) => {
      const { writer, stdout, stderr } = activity;
      expect(activity.stdout).toBe(stdout);
      activity.step('now');
      stdout.write('out\n');
      stderr.write('err\n');
      await ended(writer({ level: 'debug', source: 'stderr', step: 'own' }), 'own');
      await pipeline(Readable.from(['through\n']), activity.stdout);
      expect(activity.stdout).not.toBe(stdout);
      activity.stdout.write('again\n');
    });
    const { id } = await probe.only();
    const messages = await activities.messages(id);
    expect(messages.map(({ level, source, step, text }) => [level, source, step, text])).toEqual([
      ['info', 'stdout', 'now', 'out'],
      ['warn', 'stderr', 'now', 'err'],
      ['debug', 'stderr', 'own', 'own'],
      ['info', 'stdout', 'now', 'through'],
      ['info', 'stdout', 'now', 'again'],
    ]);
  });

  it('[C65] raises no uncaught error: destroyed, written after its end, after the activity, or in a pipeline that is cancelled', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', note);
    try {
      const { activities, probe, log } = await trackedApp({});
      let late!: ActivityContext;
      await activities.run({ type: 'x' }, async (activity) => {
        late = activity;
        const destroyed = activity.writer();
        destroyed.write('kept\nhalf');
        destroyed.destroy(new Error('x'));
        destroyed.write('after destroy');
        const out = activity.writer();
        await ended(out, 'tail');
        out.write('after the end');
      });
      late.stdout.write('too late\n');
      await ended(late.writer(), 'too late\n'.repeat(100));
      const reached = deferred();
      const cancelled = activities.run({ type: 'cancelled' }, ({ writer, signal }) => {
        const source = new PassThrough();
        source.write('a\nhalf', () => reached.resolve());
        return pipeline(source, writer(), { signal });
      });
      cancelled.catch(() => undefined);
      await reached.promise;
      const { id } = await probe.started('cancelled');
      await activities.cancel(id, { wait: 'settled' });
      await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
      expect(await probe.lines((await probe.settled('x')).id)).toEqual(['kept', 'half', 'tail']);
      expect(await probe.lines(id)).toEqual(['a', expect.stringContaining('was cancelled'), 'half']);
      expect(log.lines.filter(({ level, text }) => level === 'debug' && text.includes('late output'))).toHaveLength(1);
      await nextTurn();
      expect(uncaught).toEqual([]);
    } finally {
      process.off('uncaughtException', note);
    }
  });
});

describe('the tee of a writer', () => {
  it('[F38] gets the same bytes, pushes back, is not ended unless asked, and may fail without harm', async () => {
    const lines = await linesOf(async ({ writer }) => {
      const seen: string[] = [];
      let goOn = (): void => undefined;
      const slow = new Writable({
        highWaterMark: 1,
        write(chunk: Buffer, _encoding, callback) {
          seen.push(chunk.toString());
          goOn = () => callback();
          if (seen.length > 1) callback();
        },
      });
      const out = writer({ tee: slow });
      let isTaken = false;
      out.write('one\n', () => (isTaken = true));
      await nextTurn();
      expect([isTaken, out.writableLength]).toEqual([false, 4]);
      goOn();
      await ended(out, 'two\n');
      expect(slow.writableEnded).toBe(false);
      slow.destroy(new Error('the client has left'));
      const after = writer({ tee: slow });
      await ended(after, 'three\n');
      const last = new PassThrough();
      await ended(writer({ tee: last, endTee: true }), 'four\n');
      expect(seen).toEqual(['one\n', 'two\n']);
      expect((await last.toArray()).join('')).toBe('four\n');
    });
    expect(lines).toEqual(['one', 'two', 'three', 'four']);
  });

  it('goes on with the log when the stream fails while it is waited for', async () => {
    const lines = await linesOf(async ({ writer }) => {
      const stuck = new Writable({ highWaterMark: 1, write: () => undefined });
      const out = writer({ tee: stuck });
      const all = pipeline(Readable.from(numbered(20).map((line) => `${line}\n`)), out);
      await nextTurn();
      stuck.destroy(new Error('gone'));
      await all;
    });
    expect(lines).toEqual(numbered(20));
  });

  it('keeps nobody waiting once the activity is cancelled, and gets what it has room for', async () => {
    const { activities, probe } = await trackedApp({});
    const stuck = new Writable({ highWaterMark: 1, write: () => undefined });
    const waits = deferred();
    const { id, done } = await activities.runInBackground({ type: 'x' }, async ({ writer, signal }) => {
      const out = writer({ tee: stuck });
      const first = written(out, 'one\n');
      waits.resolve();
      await first;
      await ended(out, 'two\n');
      signal.throwIfAborted();
    });
    await waits.promise;
    await activities.cancel(id);
    await expect(done).rejects.toMatchObject({ abortReason: 'user' });
    expect(await probe.lines(id)).toEqual(expect.arrayContaining(['one', 'two']));
    expect(stuck.writableLength).toBe('one\n'.length);
  });
});

describe('stdout', () => {
  it('takes two sources that are piped into it at once, each to its own end', async () => {
    const lines = await linesOf(async (activity) => {
      const [short, long] = [new PassThrough(), new PassThrough()];
      const first = pipeline(short, activity.stdout);
      const second = pipeline(long, activity.stdout);
      short.end('short\n');
      await first;
      long.end('long 1\nlong 2');
      await second;
      activity.stdout.write('by hand');
    });
    expect(lines).toEqual(['short', 'long 1', 'long 2', 'by hand']);
  });
});

describe('odd text', () => {
  it('[C66] keeps colours and links as they are, replaces NUL, and takes no time for a crafted escape', async () => {
    const odd = ['\u001B[31mred \u001B[0m', '\u001B]8;;https://x.y\u0007link\u001B]8;;\u0007', '\u001B[2Aup', 'a\bb'];
    const start = performance.now();
    const crafted = `\u001B[${';'.repeat(100_000)}`;
    const lines = await linesOf(({ writer }) => ended(writer(), `${odd.join('\n')}\nnul \0\n${crafted}\n`));
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(lines.slice(0, 5)).toEqual([...odd, 'nul \uFFFD']);
    expect(lines[5]).toMatch(/^.\[;+ … \(\d{2},\d{3} more characters\)$/);
  });

  it('[C62] is cut on a character, with a mark', async () => {
    const lines = await linesOf(({ writer }) => ended(writer(), `${'a'.repeat(8_191)}${'🚀'.repeat(10)}\n`));
    expect(lines[0]).toMatch(/^a+ … \(\d+ more characters\)$/);
    expect(lines[0]!.length).toBeLessThanOrEqual(8_192);
    expect(lines[0]).not.toMatch(/\p{Surrogate}/u);
    const rockets = await linesOf(({ writer }) => ended(writer(), '🚀'.repeat(8_192)));
    expect(rockets[0]).toMatch(/^🚀+ … \(([\d,]+) more characters\)$/u);
    const missing = Number(/\(([\d,]+) more/.exec(rockets[0]!)![1]!.replace(',', ''));
    expect(missing + rockets[0]!.indexOf(' …')).toBe(2 * 8_192);
  });

  it('of a line of 100 MB keeps the beginning, says how much more there was, and holds no more than that', async () => {
    const chunk = Buffer.alloc(1_000_000, 'x');
    const before = process.memoryUsage().rss;
    let most = 0;
    const lines = await linesOf(({ writer }) =>
      pipeline(async function* () {
        for (let n = 0; n < 100; n++) {
          most = Math.max(most, process.memoryUsage().rss);
          yield chunk;
        }
      }, writer()),
    );
    expect(lines).toHaveLength(1);
    const missing = Number(/… \(([\d,]+) more characters\)$/.exec(lines[0]!)![1]!.replaceAll(',', ''));
    expect(missing + lines[0]!.indexOf(' …')).toBe(100_000_000);
    expect(most - before).toBeLessThan(60_000_000);
  });

  it('[C61] takes one line of five million chunks in seconds, and keeps the event loop free', async () => {
    const byte = Buffer.from('x');
    // In time of the processor, so that other work on the machine does not count.
    const cpu = (): number => process.cpuUsage().user / 1_000;
    const lags: number[] = [];
    let last = cpu();
    const beat = setInterval(() => {
      lags.push(cpu() - last);
      last = cpu();
    }, 1);
    try {
      const lines = await linesOf(async ({ writer }) => {
        const out = writer();
        last = cpu();
        for (let n = 0; n < 5_000_000; n++)
          if (!out.write(byte)) await new Promise((resolve) => out.once('drain', resolve));
        await ended(out);
      });
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(/\(4,99\d,\d{3} more characters\)$/);
    } finally {
      clearInterval(beat);
    }
    const longest = lags.toSorted((a, b) => a - b).at(Math.floor(lags.length * 0.99));
    expect(longest).toBeLessThan(100);
  }, 120_000);
});
