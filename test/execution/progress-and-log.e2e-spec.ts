import { Writable } from 'node:stream';
import type { Activity } from 'nestjs-activity';
import { eventually } from '../support/eventually.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describe('what an activity says of itself', () => {
  it('[F29] keeps its progress, shown while it runs and at 100 % when it has succeeded', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { progressInterval: 1 } });
    const handle = await activities.start({ type: 'x' });
    handle.progress({ current: 3, total: 4, unit: 'files' });
    handle.step('hashing');
    await expect(
      eventually(
        () => probe.row(handle.id),
        (row) => row.progress.percent !== null,
      ),
    ).resolves.toMatchObject({
      status: 'running',
      step: 'hashing',
      progress: { percent: 75, current: 3, total: 4, unit: 'files' },
    });
    expect((await activities.list()).items[0]).toMatchObject({ progress: { percent: 75 }, step: 'hashing' });
    await handle.succeed();
    expect((await probe.only()).progress).toEqual({
      percent: 100,
      current: 3,
      total: 4,
      unit: 'files',
      perSecond: null,
    });
  });

  it('[F35] writes progress at most once an interval, and the last of it with the end', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { progressInterval: '1h' } });
    const handle = await activities.start({ type: 'x' });
    const start = await probe.row(handle.id);
    for (let n = 1; n <= 1_000; n++) handle.progress({ current: n, total: 2_000 });
    await activities.run({ type: 'other' }, () => undefined);
    // An hour has not passed: nothing was written of a thousand reports …
    expect((await probe.row(handle.id)).version).toBe(start.version);
    await handle.fail(new Error('half-way'));
    // … and the end brings the last one along, in the same write.
    const end = await probe.row(handle.id);
    expect(end).toMatchObject({ status: 'failed', progress: { percent: 50, current: 1_000, total: 2_000 } });
    expect(end.version).toBe(start.version + 1);
  });

  it('[C116] ends with its terminal state at 100 %, and nothing older is written after it', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { progressInterval: 20 } });
    const seen: Activity[] = [];
    activities.on(({ activity }) => void seen.push(activity));
    const id = await activities.run({ type: 'x' }, (activity) => {
      for (const percent of [97, 98, 99]) activity.progress(percent);
      return activity.id;
    });
    const end = await probe.row(id);
    expect(seen.at(-1)).toMatchObject({ id, status: 'succeeded', progress: { percent: 100 } });
    expect(end).toMatchObject({ status: 'succeeded', progress: { percent: 100 } });
    // What another one has said since is written: the interval of this one has passed.
    const later = await activities.start({ type: 'later' });
    later.progress(5);
    await eventually(
      () => probe.row(later.id),
      ({ progress }) => progress.percent === 5,
    );
    expect(await probe.row(id)).toEqual(end);
    expect(seen.filter((activity) => activity.id === id).at(-1)).toMatchObject({ status: 'succeeded' });
  });

  it('[F37] keeps its lines in order, with their levels and steps', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'x' }, ({ log, step }) => {
      log.debug('one');
      step('second');
      log.info({ two: 2 });
      log.success('three');
      log.warn(new Error('four', { cause: new Error('root') }));
      log.error('five');
    });
    const { id } = await probe.only();
    const messages = await activities.messages(id);
    expect(messages.map(({ seq, level, text, step, source }) => [seq, level, text, step, source])).toEqual([
      [1, 'debug', 'one', null, 'log'],
      [2, 'info', '{ two: 2 }', 'second', 'log'],
      [3, 'success', 'three', 'second', 'log'],
      [4, 'warn', 'four (root)', 'second', 'log'],
      [5, 'error', 'five', 'second', 'log'],
    ]);
    expect((await activities.messages(id, { after: 3, level: ['error'] })).map(({ text }) => text)).toEqual(['five']);
  });

  it('[F40] keeps a log within its cap: its first and newest lines, a mark between, the true total on the row', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { maxMessages: 100, maxMessageLength: 100 } });
    await activities.run({ type: 'x' }, async ({ log, writer }) => {
      for (let n = 1; n <= 5_000; n++) log.info(`line ${n}`);
      const out: Writable = writer();
      await new Promise<void>((resolve) => out.end('🚀'.repeat(80), resolve));
    });
    const row = await probe.only();
    const messages = await activities.messages(row.id, { limit: 1000 });
    expect(row.messageCount).toBe(5_001);
    expect(messages.length).toBeLessThanOrEqual(100);
    expect(messages.slice(0, 50).map(({ text }) => text)).toEqual(
      Array.from({ length: 50 }, (_, n) => `line ${n + 1}`),
    );
    expect(messages.at(-2)?.text).toBe('line 5000');
    expect(messages.at(-1)?.text).toMatch(/^🚀+ … \(\d+ more characters\)$/u);
    const marks = messages.filter(({ source }) => source === 'activity');
    expect(marks).toHaveLength(1);
    expect(marks[0]?.text).toContain(`${row.droppedMessageCount.toLocaleString('en')} lines left out`);
    expect(messages.length - 1 + row.droppedMessageCount).toBe(5_001);
  });

  it('keeps metadata that cannot reach the prototype of anything', async () => {
    const { activities, probe } = await trackedApp({});
    const hostile = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as Record<
      string,
      never
    >;
    await activities.run({ type: 'toString', scope: '__proto__', metadata: { kept: 1 } }, ({ metadata }) => {
      metadata.merge(hostile);
      metadata.merge({ more: [1, 2] });
    });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(await probe.only()).toMatchObject({
      type: 'toString',
      scope: '__proto__',
      metadata: { kept: 1, more: [1, 2] },
    });
  });
});
