import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import type { ActivityProblem } from 'nestjs-activity/admin';
import { DemoClient } from './support/demo-client.js';
import { DemoProcess, folder, repository, stopDemos } from './support/demo-process.js';
import { until } from './support/until.js';

afterAll(stopDemos);

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('the demo', () => {
  it('says where to look, and the places are there', async () => {
    const demo = await DemoProcess.start();
    const client = new DemoClient(demo.url);
    expect(demo.output).toContain(`Swagger UI  ${demo.url}/docs\n`);
    expect(demo.output).toContain(`Activities  ${demo.url}/admin/activities\n`);
    expect(demo.output).toContain(`Database    ${demo.database}\n`);
    expect(demo.output.trim().split('\n').length).toBeLessThan(10);

    expect((await client.get<string>('/docs')).body).toContain('swagger-ui');
    const { body } = await client.get<{ paths: object }>('/docs-json');
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/checksums',
        '/checksums/background',
        '/imports',
        '/commands',
        '/commands/{name}',
        '/admin/activities',
        '/admin/activities/{id}',
        '/admin/activities/{id}/messages',
        '/admin/activities/{id}/cancel',
      ]),
    );
    await demo.stop();
    expect(demo.errors).toBe('');
  });

  it('knows its callers by a guard, on its own routes and on the admin API', async () => {
    const client = new DemoClient((await DemoProcess.start({ root: folder() })).url);
    for (const path of ['/checksums', '/admin/activities/01a211db-4e7d-762d-836a-ef6b3b2db850/cancel']) {
      expect((await client.post(path, { folder: '.' }, 'no <name>')).status).toBe(401);
    }
    expect(await client.activities('type=folder.checksum')).toEqual([]);
  });

  it('a taken port is one clear line, and nothing is opened', async () => {
    const first = await DemoProcess.start();
    const second = new DemoProcess({ port: first.port });
    expect(await second.exit()).toBe(1);
    expect(second.output).toBe('');
    expect(second.errors).toBe(
      `Port ${first.port} is taken by another program. Choose one: PORT=${first.port + 1} npm start\n`,
    );
    expect(existsSync(second.database)).toBe(false);
  });

  it('a port that is none is one clear line', async () => {
    const demo = new DemoProcess({ port: 70_000 });
    expect(await demo.exit()).toBe(1);
    expect(demo.errors).toBe('PORT is "70000": it must be a number from 0 to 65535.\n');
  });

  it('stopped, it interrupts what runs, tells the callers, and finds it so at the next start', async () => {
    const demo = await DemoProcess.start();
    const client = new DemoClient(demo.url);
    const calls = [
      client.post<ActivityProblem>('/checksums', { folder: 'node_modules', filesPerSecond: 50 }),
      client.post<ActivityProblem>('/commands/chatter'),
    ];
    const running = [await client.running('folder.checksum'), await client.running('command.run')];
    await demo.stop();
    for (const call of calls) expect(await call).toMatchObject({ status: 503, body: { code: 'ACTIVITY_CANCELLED' } });

    const again = new DemoClient((await DemoProcess.start({ database: demo.database })).url);
    for (const { id } of running) {
      expect(await again.activity(id)).toMatchObject({ status: 'interrupted', reason: 'shutdown' });
    }
  });
});

describe('the quick start', () => {
  it('tracks a check of links, and its cancel aborts the fetch', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const client = new DemoClient(url);
    const app = spawn(process.execPath, [join(repository, 'dist/apps/demo/quick-start.js')], {
      cwd: folder(),
      env: { ...process.env, PORT: String(port), NODE_OPTIONS: '' },
      stdio: 'ignore',
    });
    const silent = createServer().listen(0, '127.0.0.1');
    try {
      await until('the app to listen', () => client.activities(''));
      await client.post('/links/check', { urls: [`${url}/admin/activities`, `${url}/nowhere`] });
      const [row] = await client.activities('');
      expect(row).toMatchObject({
        type: 'links.check',
        status: 'succeeded',
        progress: { percent: 100, current: 2, total: 2, unit: 'links' },
        latestMessage: `${url}/nowhere answers 404`,
      });

      const call = client.post('/links/check', {
        urls: [`http://127.0.0.1:${(silent.address() as AddressInfo).port}`],
      });
      const { id } = await client.running('links.check');
      await client.cancel(id, 'too slow');
      await call;
      expect(await client.activity(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
    } finally {
      silent.close();
      app.kill('SIGTERM');
      await once(app, 'close');
    }
  });
});
