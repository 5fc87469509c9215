import { Writable } from 'node:stream';
import {
  dockerFrames,
  type ActivityContext,
  type ActivityMessage,
  type OutputFrame,
  type WriterOptions,
} from 'nestjs-activity';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

/** What becomes of this output: the row, and its lines as `level text`. */
async function said(
  output: readonly string[],
  options: WriterOptions = { format: 'ndjson' },
  more: (activity: ActivityContext) => void = () => undefined,
) {
  const { activities, probe } = await trackedApp({});
  await activities.run({ type: 'x' }, async (activity) => {
    const writer = activity.writer(options);
    for (const line of output) writer.write(`${line}\n`);
    await new Promise<void>((resolve) => writer.end(resolve));
    more(activity);
  });
  const row = await probe.only();
  const messages = await activities.messages(row.id);
  return { row, lines: messages.map(({ level, text }: ActivityMessage) => `${level} ${text}`), messages };
}

describe('NDJSON frames', () => {
  it('report lines, errors, progress and steps, by key or by type', async () => {
    let progress: unknown;
    const { row, lines, messages } = await said(
      [
        '{"log":"one","level":"warn"}',
        '{"step":"second","message":"two"}',
        '{"type":"log","message":"three","level":"debug"}',
        '{"type":"error","message":"four"}',
        '{"error":{"message":"five"}}',
        '{"type":"step","name":"third"}',
        '{"progress":{"current":3,"total":4,"unit":"layers"},"log":"six"}',
        'plain text',
      ],
      { format: 'ndjson', level: 'success' },
      ({ id }) => void (progress = id),
    );
    expect(progress).toBe(row.id);
    expect(lines).toEqual([
      'warn one',
      'success two',
      'debug three',
      'error four',
      'error five',
      'success six',
      'success plain text',
    ]);
    expect(messages.map(({ step }) => step)).toEqual([null, 'second', 'second', 'second', 'second', 'third', 'third']);
    expect(row).toMatchObject({
      status: 'succeeded',
      step: 'third',
      progress: { current: 3, total: 4, unit: 'layers' },
      errorCount: 2,
    });
  });

  it('[C56] takes what is no frame as text, throws for nothing, and changes no prototype', async () => {
    const odd = [
      'null',
      '42',
      '"txt"',
      '[]',
      '{}',
      '{"progress":"abc"}',
      '{"error":null}',
      '{"error":""}',
      '{"message":{"a":1}}',
      '{"__proto__":{"x":1,"log":"no"}}',
      '{"constructor":{"prototype":{"x":1}}}',
      '{bad',
    ];
    const { row, lines } = await said([
      '\uFEFF{"log":"after a BOM"}',
      ...odd,
      '',
      '   ',
      '{"log":"last","progress":"abc"}',
    ]);
    expect(lines).toEqual(['info after a BOM', ...odd.map((line) => `info ${line}`), 'info last']);
    expect(row).toMatchObject({ status: 'succeeded', errorCount: 0, progress: { current: null } });
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it('[C57] cannot fake a result: in plain mode they are text, and as frames they never end the activity', async () => {
    const faked = [
      '{"error":"boom"}',
      '{"type":"done","status":"succeeded"}',
      '{"type":"error","message":"boom"}',
      '{"progress":100}',
    ];
    const plain = await said(faked, {});
    expect(plain.lines).toEqual(faked.map((line) => `info ${line}`));
    expect(plain.row).toMatchObject({ status: 'succeeded', error: null, errorCount: 0 });
    const framed = await said(faked, { format: 'ndjson' });
    expect(framed.lines).toEqual(['error boom', `info ${faked[1]}`, 'error boom']);
    expect(framed.row).toMatchObject({ status: 'succeeded', error: null, errorCount: 2 });
    const { activities, probe } = await trackedApp({});
    const failing = activities.run({ type: 'fails' }, async ({ writer }) => {
      writer({ format: 'ndjson' }).write('{"type":"done","status":"succeeded"}\n{"progress":100}\n');
      throw new Error('failed');
    });
    await expect(failing).rejects.toThrow('failed');
    expect(await probe.only()).toMatchObject({ status: 'failed', error: { message: 'failed' } });
  });

  it('may have other names, or a reader of their own; one that throws makes text of its line', async () => {
    const named = await said(['{"msg":"one"}', '{"log":"two"}', '{"pct":40}', '{"error":"not read"}'], {
      format: 'ndjson',
      frames: { log: 'msg', progress: 'pct', error: false },
    });
    expect(named.lines).toEqual(['info one', 'info {"log":"two"}', 'info {"error":"not read"}']);
    const own = await said(['{"n":1}', '{"n":2}', '{"n":3}'], {
      format: 'ndjson',
      frames: ({ n }) => {
        if (n === 3) throw new Error('odd');
        return n === 2 ? {} : { message: `number ${String(n)}` };
      },
    });
    expect(own.lines).toEqual(['info number 1', 'info {"n":3}']);
  });

  it('[C56] are text where a reader gives what is no frame: nothing is lost, and nobody is taken down', async () => {
    const odd: unknown[] = [{ message: 42 }, { message: Symbol('x') }, 'text', null, Promise.resolve({}), { step: {} }];
    const texts = odd.map((_, n) => JSON.stringify({ n }));
    const { lines } = await said([...texts, '{"n":6}'], {
      format: 'ndjson',
      frames: ({ n }) => (odd[n as number] ?? { message: 'as told', level: n === 6 ? 'fatal' : 'warn' }) as OutputFrame,
    });
    expect(lines).toEqual([
      ...texts.slice(0, 3).map((text) => `info ${text}`),
      'warn as told',
      ...texts.slice(4).map((text) => `info ${text}`),
      'info as told',
    ]);
  });

  it('keep their order where their reader logs while more of them wait', async () => {
    const app = await trackedApp({});
    await app.activities.run({ type: 'x' }, async ({ writer, log }) => {
      const out = writer({
        format: 'ndjson',
        tee: new Writable({ highWaterMark: 1, write: (_chunk, _encoding, callback) => setImmediate(callback) }),
        frames: ({ n }) => {
          log.info(`saw ${String(n)}`);
          return { message: `took ${String(n)}` };
        },
      });
      for (const chunk of ['{"n":1}\n', '{"n":2}\n{"n":', '3}\n', '{"n":4}\n']) out.write(chunk);
      await new Promise<void>((resolve) => out.end(resolve));
    });
    const lines = await app.probe.lines((await app.probe.only()).id);
    expect(lines).toEqual([1, 2, 3, 4].flatMap((n) => [`saw ${n}`, `took ${n}`]));
  });

  it('of Docker give a line for each status of a layer, and the bytes of all as progress', async () => {
    const pull = [
      { status: 'Pulling from library/alpine', id: 'latest' },
      { status: 'Downloading', progressDetail: { current: 10, total: 100 }, progress: '[=>  ]', id: 'a' },
      { status: 'Downloading', progressDetail: { current: 50, total: 100 }, progress: '[==> ]', id: 'a' },
      { status: 'Downloading', progressDetail: { current: 10, total: 300 }, progress: '[>   ]', id: 'b' },
      { status: 'Extracting', progressDetail: { current: 1, total: 100 }, id: 'a' },
      { status: 'Pull complete', progressDetail: {}, id: 'a' },
      { status: 'Status: Downloaded newer image' },
      { stream: 'Step 1/1 : FROM x\n' },
      { errorDetail: { message: 'no space left' }, error: 'no space left' },
    ].map((frame) => JSON.stringify(frame));
    const { row, lines } = await said([...pull, 'text'], { format: 'ndjson', frames: dockerFrames() });
    expect(lines).toEqual([
      'info latest: Pulling from library/alpine',
      'info a: Downloading',
      'info b: Downloading',
      'info a: Extracting',
      'info a: Pull complete',
      'info Status: Downloaded newer image',
      'info Step 1/1 : FROM x',
      'error no space left',
      'info text',
    ]);
    expect(row.progress).toMatchObject({ current: 60, total: 400, unit: 'bytes' });
  });
});
