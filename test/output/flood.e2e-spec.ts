import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ActivityContext } from 'nestjs-activity';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

const LINES = 300_000;
const CAP = 1_000;
const FIRST = 500;
/** The cap takes a tenth at a time, and one place is the marker's. */
const NEWEST = 399;

/** Numbered lines in chunks that do not end with them, as a pipe gives them. */
function* chunksOf(count: number, of = (n: number) => `line ${n} ${'x'.repeat(60)}`): Generator<Buffer> {
  let rest = Buffer.alloc(0);
  for (let n = 1; n <= count; n += 1_000) {
    const lines = Array.from({ length: Math.min(1_000, count - n + 1) }, (_, place) => `${of(n + place)}\n`);
    const bytes = Buffer.concat([rest, Buffer.from(lines.join(''))]);
    rest = bytes.subarray(bytes.length - 33);
    yield bytes.subarray(0, -33);
  }
  yield rest;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const numberIn = (text: string): number => Number(/^line (\d+)/.exec(text)?.[1]);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describeEachDatabase('output that comes faster than it is worth writing', (database) => {
  async function flooded(work: (activity: ActivityContext) => unknown) {
    const { options } = await database.create(import.meta.url);
    const app = await trackedApp({}, { database: options, activity: { maxMessages: CAP } });
    await app.activities.run({ type: 'x' }, work);
    const row = await app.probe.only();
    return { row, messages: await app.activities.messages(row.id, { limit: 1_000 }) };
  }

  it('keeps the first lines and the newest under their numbers, and counts each of the others', async () => {
    const { row, messages } = await flooded(({ stdout }) => pipeline(Readable.from(chunksOf(LINES)), stdout));
    const said = messages.filter(({ source }) => source === 'stdout');
    for (const { seq, text } of said) expect(numberIn(text)).toBe(seq);
    const seqs = new Set(said.map(({ seq }) => seq));
    const due = [...range(1, FIRST), ...range(LINES - NEWEST + 1, LINES)];
    expect(due.filter((seq) => !seqs.has(seq))).toEqual([]);
    expect(messages.length).toBeLessThanOrEqual(CAP);
    expect(row).toMatchObject({ messageCount: LINES, droppedMessageCount: LINES - said.length });
    const markers = messages.filter(({ source }) => source === 'activity');
    expect(markers.map(({ text }) => text)).toEqual([
      expect.stringContaining(`${row.droppedMessageCount.toLocaleString('en')} lines left out (the cap is 1,000)`),
    ]);
  });

  it('stays in order with what else is said, and in the step that it was said in', async () => {
    const { row, messages } = await flooded(async ({ stdout, writer, log, step }) => {
      const errors = writer({ source: 'stderr', level: 'warn' });
      step('loud');
      let given = 0;
      for (const bytes of chunksOf(LINES)) {
        if (!stdout.write(bytes)) await new Promise((resolve) => stdout.once('drain', resolve));
        if (++given === 299) errors.write('from another writer\n');
      }
      log.info('logged');
      step('quiet');
      stdout.write('the last\n');
    });
    const tail = messages.slice(-4).map((message) => [message.step, message.text.replace(/ x+$/, '')]);
    expect(tail).toEqual([
      ['loud', `line ${LINES - 1}`],
      ['loud', `line ${LINES}`],
      ['loud', 'logged'],
      ['quiet', 'the last'],
    ]);
    const place = messages.findIndex(({ text }) => text === 'from another writer');
    if (place !== -1) expect(numberIn(messages[place + 1]!.text) - numberIn(messages[place - 1]!.text)).toBe(1);
    expect(row).toMatchObject({ messageCount: LINES + 3, warningCount: 1 });
  });
});

describe('a flood', () => {
  it('that stops can be read though its writer stays open', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { maxMessages: CAP } });
    const read = deferred();
    const { id, done } = await activities.runInBackground({ type: 'x' }, async ({ stdout }) => {
      await pipeline(Readable.from(chunksOf(LINES)), stdout, { end: false });
      await read.promise;
    });
    let newest: string | undefined;
    while (newest === undefined) {
      newest = (await activities.messages(id, { after: LINES - 1 })).at(-1)?.text;
      await nextTurn();
    }
    expect(numberIn(newest)).toBe(LINES);
    read.resolve();
    await done;
    expect(await probe.settled(id)).toMatchObject({ messageCount: LINES });
  });

  it('keeps the private keys in it masked, wherever they stand', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { maxMessages: CAP } });
    const key = (n: number): string | undefined =>
      n % 500 === 400
        ? '-----BEGIN RSA PRIVATE KEY-----'
        : n % 500 === 499
          ? '-----END RSA PRIVATE KEY-----'
          : undefined;
    const inKey = (n: number): boolean => n % 500 > 400 && n % 500 < 499;
    const of = (n: number): string => key(n) ?? (inKey(n) ? `SECRET${'k'.repeat(60)}` : `line ${n} ${'x'.repeat(60)}`);
    await activities.run({ type: 'x' }, ({ stdout }) => pipeline(Readable.from(chunksOf(100_000, of)), stdout));
    const lines = await probe.lines((await probe.only()).id);
    expect(lines.filter((line) => line.includes('SECRET'))).toEqual([]);
    expect(lines.some((line) => line.startsWith('line 100000 '))).toBe(true);
  });
});
