import { readActivityStream, type ActivityFrame, type ActivityStreamSource } from 'nestjs-activity/client';

async function read(source: ActivityStreamSource): Promise<ActivityFrame[]> {
  const frames: ActivityFrame[] = [];
  for await (const frame of readActivityStream(source)) frames.push(frame);
  return frames;
}

async function* chunks(...parts: (string | Uint8Array)[]) {
  yield* parts;
}

const started = '{"type":"started","id":"a","status":"running"}\n';
const log = (seq: number, text: string) =>
  `${JSON.stringify({ type: 'log', seq, level: 'info', text, source: 'log', step: null, at: '' })}\n`;
const done = '{"type":"done","status":"succeeded"}\n';

describe('readActivityStream', () => {
  it('gives each frame, however the bytes are cut into chunks, and skips empty lines', async () => {
    const bytes = new TextEncoder().encode(`${started}\n\r\n${log(1, 'grüße 🎈')}${done}`);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        bytes.slice(n * size, (n + 1) * size),
      );
      const frames = await read(chunks(...parts));
      expect(frames.map(({ type }) => type)).toEqual(['started', 'log', 'done']);
      expect(frames[1]).toMatchObject({ text: 'grüße 🎈' });
    }
  });

  it('reads the body of a Response, and closes it when the loop is left', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(started + log(1, 'one'))),
      cancel: () => void (cancelled = true),
    });
    for await (const { type } of readActivityStream(new Response(body))) if (type === 'log') break;
    expect(cancelled).toBe(true);
  });

  it.each<[string, ActivityStreamSource, { activityId?: string; lastSeq: number }]>([
    ['nothing at all', chunks(), { activityId: undefined, lastSeq: 0 }],
    ['no body', new Response(null), { activityId: undefined, lastSeq: 0 }],
    ['no last frame', chunks(started, log(1, 'one')), { activityId: 'a', lastSeq: 1 }],
    ['half a last frame', chunks(started, done.slice(0, -3)), { activityId: 'a', lastSeq: 0 }],
    ['a last frame without its line break', chunks(started, done.trimEnd()), { activityId: 'a', lastSeq: 0 }],
    ['what is no JSON', chunks(started, '<html>\n'), { activityId: 'a', lastSeq: 0 }],
  ])('calls a stream with %s cut', async (_what, source, facts) => {
    await expect(read(source)).rejects.toMatchObject({ code: 'ACTIVITY_STREAM_CUT', ...facts });
  });

  it('calls a connection that breaks a cut, with its error as the cause', async () => {
    const broken = new Error('terminated');
    async function* breaks() {
      yield started;
      throw broken;
    }
    await expect(read(breaks())).rejects.toMatchObject({ code: 'ACTIVITY_STREAM_CUT', cause: broken });
  });

  it('gives nothing after the last frame, and says of a failure what the frame says', async () => {
    const error = '{"type":"error","status":"failed","reason":"error","message":"no"}\n';
    expect((await read(chunks(started, error, done))).at(-1)).toMatchObject({ type: 'error', message: 'no' });
  });
});
