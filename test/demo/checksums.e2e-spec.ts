import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ActivityProblem } from 'nestjs-activity/admin';
import { readActivityStream } from 'nestjs-activity/client';
import { DemoClient } from './support/demo-client.js';
import { DemoProcess, folder, stopDemos } from './support/demo-process.js';
import { until } from './support/until.js';

const MAX_CANCEL_MS = 200;

interface Checksum {
  files: number;
  bytes: number;
  digest: string;
  unreadable: number;
}

/** Files of a folder, as `sha256sum` prints them, hashed once more. */
function digestOf(files: Record<string, string>): string {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const lines = Object.keys(files)
    .toSorted()
    .map((path) => `${sha256(files[path]!)}  ./${path}\n`);
  return sha256(lines.join(''));
}

function write(root: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

afterAll(stopDemos);

describe('POST /checksums on node_modules', () => {
  let client: DemoClient;

  beforeAll(async () => {
    client = new DemoClient((await DemoProcess.start()).url);
  });

  it.each([0, 1, 2])('a cancel ends it in less than 200 ms, with who and why (%i)', async () => {
    const call = client.post<ActivityProblem>('/checksums', { folder: 'node_modules' });
    const { id } = await client.running('folder.checksum', ({ progress }) => (progress.current ?? 0) > 500);
    expect((await client.cancel(id, 'wrong folder')).status).toBe(202);
    expect(await call).toMatchObject({
      status: 409,
      body: { code: 'ACTIVITY_CANCELLED', activityId: id, detail: expect.stringContaining('by grace: wrong folder') },
    });
    const row = await client.activity(id);
    expect(row).toMatchObject({
      status: 'cancelled',
      reason: 'user',
      actor: { id: 'ada' },
      cancel: { by: { id: 'grace' }, reason: 'wrong folder' },
      latestMessage: expect.stringMatching(/^stopped after [\d,]+ of [\d,]+ files$/),
    });
    expect(row.progress.percent).toBeLessThan(100);
    expect(Date.parse(row.endedAt!) - Date.parse(row.cancel!.requestedAt as unknown as string)).toBeLessThan(
      MAX_CANCEL_MS,
    );
  });

  it('left alone, it succeeds at 100 %, with a line for each thousand files', async () => {
    const { status, body } = await client.post<Checksum>('/checksums', { folder: 'node_modules/typeorm' });
    expect(status).toBe(200);
    const [row] = await client.activities('type=folder.checksum&limit=1');
    expect(row).toMatchObject({
      status: 'succeeded',
      step: 'hashing',
      progress: { percent: 100, current: body.files, total: body.files, unit: 'files' },
    });
    const whole = await client.activity(row!.id);
    expect(whole.result).toEqual(body);
    expect(whole.metadata).toEqual({ filesPerSecond: expect.any(Number) });
    const thousands = (await client.messages(row!.id)).filter(({ text }) => /^[\d,]+,000 of/.test(text));
    expect(thousands).toHaveLength(Math.floor(body.files / 1_000));
  });

  it('the third at once waits as queued, and can be cancelled there', async () => {
    const slow = { folder: 'node_modules', filesPerSecond: 100 };
    const calls = [1, 2, 3].map(() => client.post<ActivityProblem>('/checksums', slow));
    const active = await until('two that run and one that waits', async () => {
      const found = await client.activities('status=running,queued');
      return found.length === 3 ? found : undefined;
    });
    expect(active.map(({ status }) => status)).toEqual(['queued', 'running', 'running']);
    for (const { id } of active) await client.cancel(id, 'enough');
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([409, 409, 409]);
    expect(await client.activity(active[0]!.id)).toMatchObject({ status: 'cancelled', startedAt: null });
  });
});

describe('POST /checksums on a folder of the test', () => {
  const files = { 'a.txt': 'a', 'b/c.txt': 'c', 'b/d/e.bin': '\0'.repeat(300_000), 'ä.txt': '' };
  const outside = folder();
  const root = folder();
  let client: DemoClient;
  let url: string;

  beforeAll(async () => {
    write(outside, { 'secret.txt': 'secret' });
    write(root, Object.fromEntries(Object.entries(files).map(([path, content]) => [`given/${path}`, content])));
    symlinkSync(outside, join(root, 'given/link'));
    symlinkSync(outside, join(root, 'way-out'));
    url = (await DemoProcess.start({ root })).url;
    client = new DemoClient(url);
  });

  it('gives the digest of `sha256sum` over all files, and does not follow links', async () => {
    const { body } = await client.post<Checksum>('/checksums', { folder: './given/b/..' });
    expect(body).toMatchObject({ files: 4, bytes: 300_002, unreadable: 0, digest: digestOf(files) });
    const [row] = await client.activities('limit=1');
    expect(row!.resource).toEqual({ type: 'folder', id: 'given', name: null });
  });

  it('in the background, answers at once with the place to look', async () => {
    const { status, headers, body } = await client.post<{ id: string; href: string }>('/checksums/background', {
      folder: 'given',
    });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(body.href);
    const ended = await until('its end', async () => {
      const { body: row } = await client.get<{ status: string; actor: object }>(body.href);
      return row.status === 'running' ? undefined : row;
    });
    expect(ended).toMatchObject({ status: 'succeeded', actor: { id: 'ada' } });
  });

  it('answers at once on Prefer: respond-async, with a place that shows it to the one who asked', async () => {
    const answer = await fetch(`${url}/checksums`, {
      method: 'POST',
      headers: { 'x-user': 'ada', 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify({ folder: 'given' }),
    });
    expect(answer.status).toBe(202);
    const place = answer.headers.get('operation-location')!;
    expect(place).toMatch(/^http:.*\/operations\/[\da-f-]{36}$/);
    const ended = await until('its end', async () => {
      const row = (await (await fetch(place, { headers: { 'x-user': 'ada' } })).json()) as { status: string };
      return row.status === 'running' ? undefined : row;
    });
    expect(ended).toMatchObject({ status: 'succeeded', result: { files: 4 } });
    expect((await fetch(place, { headers: { 'x-user': 'grace' } })).status).toBe(404);
  });

  it('streams what happens on Accept: application/x-ndjson', async () => {
    const answer = await fetch(`${url}/checksums`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify({ folder: 'given' }),
    });
    const frames = [];
    for await (const frame of readActivityStream(answer)) frames.push(frame);
    expect(frames[0]).toMatchObject({ type: 'started' });
    expect(frames).toContainEqual(
      expect.objectContaining({ type: 'log', text: expect.stringMatching(/^4 files in /) }),
    );
    expect(frames.at(-1)).toMatchObject({ type: 'done', result: { files: 4, digest: digestOf(files) } });
  });

  it('warns of a file that cannot be read, and goes on', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `${index}.txt`);
    write(root, Object.fromEntries(names.map((name) => [`vanishing/${name}`, name])));
    const call = client.post<Checksum>('/checksums', { folder: 'vanishing', filesPerSecond: 4 });
    const { id } = await client.running('folder.checksum', ({ step }) => step === 'hashing');
    rmSync(join(root, 'vanishing/7.txt'));
    expect((await call).body).toMatchObject({ files: 8, unreadable: 1 });
    const warnings = (await client.messages(id)).filter(({ level }) => level === 'warn');
    expect(warnings.map(({ text }) => text)).toEqual(['7.txt cannot be read: ENOENT: no such file or directory']);
    expect(await client.activity(id)).toMatchObject({ status: 'succeeded', warningCount: 1 });
  });

  it.each([
    ['a folder above', { folder: '..' }, /outside/],
    ['a way up in disguise', { folder: 'given/../../x' }, /outside/],
    ['an absolute path', { folder: '/etc' }, /outside/],
    ['a link that leads out', { folder: 'way-out' }, /outside/],
    ['a folder that is not there', { folder: 'missing' }, /no folder "missing"/],
    ['a file', { folder: 'given/a.txt' }, /no folder/],
    ['no folder at all', {}, /folder/],
    ['a rate that is none', { folder: 'given', filesPerSecond: 'fast' }, /filesPerSecond/],
    ['an unknown field', { folder: 'given', depth: 3 }, /depth/],
  ])('refuses %s with 400, and leaves no row', async (_what, body, message) => {
    const before = (await client.activities('type=folder.checksum')).length;
    const answer = await client.post<{ message: string | string[] }>('/checksums', body);
    expect(answer.status).toBe(400);
    expect(String(answer.body.message)).toMatch(message);
    expect(await client.activities('type=folder.checksum')).toHaveLength(before);
  });
});
