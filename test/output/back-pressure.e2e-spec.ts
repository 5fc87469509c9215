import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { SqliteDatabase } from '../../libs/activity/src/storage/sqlite-database.js';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { holdWrites } from '../support/held-database.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function* chunksOf(lines: number, padding = ''): Generator<string> {
  for (let n = 1; n <= lines; n += 500) {
    yield Array.from({ length: 500 }, (_, place) => `line ${n + place}${padding}\n`).join('');
  }
}

describeEachDatabase('output while the database takes no writes', (database) => {
  async function heldApp(activity = {}) {
    const { options } = await database.create(import.meta.url);
    const app = await trackedApp({}, { database: options, activity: { startTimeout: 80, ...activity } });
    return { ...app, hold: () => holdWrites(options) };
  }

  it('[C60] of 200,000 lines is held back, never lost, and leaves the process free', async () => {
    const { activities, probe, hold } = await heldApp({ maxMessages: 1_000_000 });
    const stalled = deferred();
    let given = 0;
    const source = function* () {
      for (const chunk of chunksOf(200_000)) {
        given += 500;
        yield chunk;
      }
    };
    const { id, done } = await activities.runInBackground({ type: 'x' }, async ({ writer }) => {
      await stalled.promise;
      await pipeline(Readable.from(source()), writer());
    });
    await probe.started('x');
    const release = await hold();
    stalled.resolve();
    // The source stands still while the event loop turns.
    let before = -1;
    for (let turns = 0; before !== given || turns < 50; turns++) {
      before = given;
      await nextTurn();
    }
    expect(given).toBeGreaterThan(5_000);
    expect(given).toBeLessThan(30_000);
    await release();
    await done;
    const row = await probe.settled(id);
    expect(row).toMatchObject({ status: 'succeeded', messageCount: 200_000, droppedMessageCount: 0 });
    const last = await activities.messages(id, { after: 199_999 });
    expect(last.map(({ text }) => text)).toEqual(['line 200000']);
  }, 120_000);

  it('of log calls, which cannot wait, is left out beyond a bound, and a line says how many', async () => {
    const { activities, probe, hold } = await heldApp({ maxMessages: 1_000_000 });
    const held = deferred();
    const { id, done } = await activities.runInBackground({ type: 'x' }, async ({ log, flushed }) => {
      await held.promise;
      for (let n = 1; n <= 15_000; n++) log.info(`line ${n}`);
      await release();
      await flushed();
      log.info('after');
    });
    await probe.started('x');
    const release = await hold();
    held.resolve();
    await done;
    const row = await probe.settled(id);
    expect(row).toMatchObject({ messageCount: 15_001, droppedMessageCount: 5_000 });
    const [marker, after] = await activities.messages(id, { after: 10_000 });
    expect(marker).toMatchObject({
      seq: 15_000,
      source: 'activity',
      text: expect.stringContaining('5,000 lines left out'),
    });
    expect(after).toMatchObject({ seq: 15_001, text: 'after' });
  });

  it('of a hundred writers is bounded all together, and all of it is kept', async () => {
    const { activities, probe, hold } = await heldApp();
    const held = deferred();
    let given = 0;
    const works = Array.from({ length: 100 }, (_, place) =>
      activities.run({ type: `w${place}` }, async ({ writer }) => {
        await held.promise;
        const out = writer();
        // Each chunk is more than Node's own buffer takes, so that what is given is what the tracker has taken.
        for (const chunk of chunksOf(4_000, ' '.repeat(40))) {
          given += 500;
          if (!out.write(chunk)) await new Promise((resolve) => out.once('drain', resolve));
        }
        await new Promise<void>((resolve) => out.end(resolve));
      }),
    );
    await probe.started('w99');
    const release = await hold();
    held.resolve();
    let before = -1;
    for (let turns = 0; before !== given || turns < 50; turns++) {
      before = given;
      await nextTurn();
    }
    expect(given).toBeLessThan(160_000);
    await release();
    await Promise.all(works);
    for (const place of [0, 50, 99]) {
      expect(await probe.settled(`w${place}`)).toMatchObject({ messageCount: 4_000, droppedMessageCount: 0 });
    }
  }, 120_000);

  it('ends with the work, and flushed() and the end of a writer call back, though the store has given up', async () => {
    const { activities, probe, hold, app } = await heldApp({ shutdownGrace: 1 });
    const held = deferred();
    const ended = deferred();
    const flushing = deferred();
    const work = activities.run({ type: 'x' }, async ({ writer, flushed }) => {
      await held.promise;
      const out = writer();
      out.write('one\ntwo');
      await new Promise<void>((resolve) => out.end(resolve));
      ended.resolve();
      await flushed();
      flushing.resolve();
    });
    work.catch(() => undefined);
    await probe.started('x');
    const release = await hold();
    held.resolve();
    await ended.promise;
    await app.close();
    await expect(flushing.promise).resolves.toBeUndefined();
    await release();
  }, 60_000);
});

describeEachDatabase('any output', (database) => {
  it('gives the lines of the whole text for any chunking of any bytes, and they can be read back', async () => {
    const { options } = await database.create(import.meta.url);
    const { activities, probe } = await trackedApp({}, { database: options });
    const bytes = fc
      .array(
        fc.oneof(
          fc.constantFrom('\n', '\r\n', '\r', '🚀', 'ñ', '\0', '\uFEFF', '\u001B[31m').map((text) => Buffer.from(text)),
          fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
          fc.uint8Array({ maxLength: 8 }).map((some) => Buffer.from(some)),
        ),
        { maxLength: 40 },
      )
      .map((parts) => Buffer.concat(parts));
    const places = fc.array(fc.nat(), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(bytes, places, async (whole, cuts) => {
        const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length].toSorted((a, b) => a - b);
        const { id, done } = await activities.runInBackground({ type: 'x' }, ({ writer }) =>
          pipeline(
            Readable.from(
              at.slice(1).map((end, index) => whole.subarray(at[index], end)),
              { objectMode: false },
            ),
            writer(),
          ),
        );
        await done;
        await probe.settled(id);
        expect(await probe.lines(id)).toEqual(linesOfWhole(whole.toString('utf8')));
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

/** What is stored of a text: its lines, of each its last state, NUL replaced. */
function linesOfWhole(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\r+$/, '').split('\r').at(-1)!.replaceAll('\0', '\uFFFD'));
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

describe('ten times more lines than an activity may keep', () => {
  it('[C67] cost no delete a line, keep the first and the newest, and tell the true count', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { maxMessages: 1_000 } });
    const writing = jest.spyOn(SqliteDatabase.prototype, 'write');
    await activities.run({ type: 'x' }, ({ writer }) => pipeline(Readable.from(chunksOf(10_000)), writer()));
    const row = await probe.only();
    const batches = writing.mock.calls.map(([batch]) => batch);
    writing.mockRestore();
    expect(batches.flatMap(({ trims }) => trims).length).toBeLessThan(110);
    expect(batches.length).toBeLessThan(300);
    const messages = await activities.messages(row.id, { limit: 1000 });
    expect(messages.length).toBeLessThanOrEqual(1_000);
    expect(messages.slice(0, 500).map(({ text }) => text)).toEqual(
      Array.from({ length: 500 }, (_, n) => `line ${n + 1}`),
    );
    expect(messages.at(-1)).toMatchObject({ seq: 10_000, text: 'line 10000' });
    const [marker, ...others] = messages.filter(({ source }) => source === 'activity');
    expect(others).toEqual([]);
    expect(marker?.text).toContain(`${row.droppedMessageCount.toLocaleString('en')} lines left out (the cap is 1,000)`);
    expect(row).toMatchObject({ messageCount: 10_000, droppedMessageCount: 10_000 - messages.length + 1 });
  });
});
