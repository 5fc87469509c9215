import { once } from 'node:events';
import { jest } from '@jest/globals';
import type { LogLine } from '../../execution/activity-log.js';
import type { ActivityFrame } from '../../model/frames.js';
import { FrameStream } from './frame-stream.js';

const ID = '01a211db-0000-7000-8000-000000000000';
const started = { type: 'started', id: ID, status: 'running' } as const;
const done = { type: 'done', status: 'succeeded' } as const;

function line(seq: number, text = `line ${seq}`): LogLine {
  return { seq, level: 'info', text, source: 'log', step: null, at: new Date(0) };
}

/** All that the stream gives until it ends. */
async function framesOf(stream: FrameStream): Promise<ActivityFrame[]> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text
    .trimEnd()
    .split('\n')
    .map((one) => JSON.parse(one) as ActivityFrame);
}

describe('the frames of a streamed answer', () => {
  afterEach(() => jest.useRealTimers());

  it('begin with started, whatever was said before, and end with the one last frame', async () => {
    const stream = new FrameStream();
    stream.line(line(1, 'early'), false);
    stream.start(started);
    stream.line(line(2), false);
    stream.end(done);
    stream.end({ type: 'error', status: 'failed', reason: 'error', message: 'too late' });
    stream.line(line(3), false);
    const frames = await framesOf(stream);
    expect(frames.map((frame) => [frame.type, 'text' in frame ? frame.text : null])).toEqual([
      ['started', null],
      ['log', 'early'],
      ['log', 'line 2'],
      ['done', null],
    ]);
  });

  it('go out one by one, as they come, to a reader that keeps up', async () => {
    const stream = new FrameStream();
    stream.start(started);
    stream.setEncoding('utf8');
    const next = async (): Promise<string> => ((await once(stream, 'data')) as [string])[0];
    expect(await next()).toContain('"started"');
    for (const seq of [1, 2, 3]) {
      const chunk = next();
      stream.line(line(seq), false);
      expect(await chunk).toContain(`"seq":${seq},`);
    }
    stream.destroy();
  });

  it('say of many lines, to a slow reader, which are left out, and nothing of a flood stays in memory', async () => {
    const stream = new FrameStream();
    stream.start(started);
    const text = 'x'.repeat(500);
    for (let seq = 1; seq <= 100_000; seq++) {
      stream.line(line(seq, text), false);
      stream.changed({
        status: 'running',
        step: 'flood',
        progress: { percent: null, current: seq, total: null, unit: null, perSecond: null },
      });
    }
    stream.end(done);
    const frames = await framesOf(stream);
    expect(frames.length).toBeLessThan(1_200);
    const seen: number[] = [];
    for (const frame of frames) {
      if (frame.type === 'log') seen.push(frame.seq);
      if (frame.type === 'gap') for (let seq = frame.fromSeq; seq <= frame.toSeq; seq++) seen.push(seq);
    }
    expect(seen).toEqual(Array.from({ length: 100_000 }, (_, index) => index + 1));
    expect(frames.filter(({ type }) => type === 'gap')).toHaveLength(1);
    expect(frames.findLast(({ type }) => type === 'progress')).toMatchObject({ current: 100_000 });
    expect(frames.at(-1)).toEqual(done);
  });

  it('make a generator wait for a slow reader, and no longer than the reader stays', async () => {
    const stream = new FrameStream({ highWaterMark: 1 });
    stream.start(started);
    let taken = false;
    const item = stream.item({ n: 1 }).then(() => (taken = true));
    await new Promise(setImmediate);
    expect(taken).toBe(false);
    stream.destroy();
    await item;
    await stream.item('dropped');
    stream.end(done);
  });

  it('cut a reader off that is too far behind for the values of an Observable', () => {
    const stream = new FrameStream();
    stream.start(started);
    for (let n = 0; n <= 20_000 && !stream.destroyed; n++) void stream.item(n);
    expect(stream.destroyed).toBe(true);
  });

  it('[C35] beat while nothing happens, at least every 30 s, and no more once the reader has left', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    const stream = new FrameStream();
    let text = '';
    stream.on('data', (chunk) => (text += String(chunk)));
    stream.start(started);
    await new Promise(setImmediate);
    jest.advanceTimersByTime(30_000);
    await new Promise(setImmediate);
    expect(text).toContain('{"type":"heartbeat"}\n');
    expect(jest.getTimerCount()).toBe(1);
    stream.destroy();
    await new Promise(setImmediate);
    expect(jest.getTimerCount()).toBe(0);
  });
});
