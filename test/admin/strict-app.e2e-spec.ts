import { ValidationPipe, VersioningType, type INestApplication } from '@nestjs/common';
import { describeEachAdapter } from '../support/adapters.js';
import { adminApp, ended, failed, running, type AdminApp } from './admin-app.js';

const QUERIES = [
  '',
  '?status=failed',
  '?status=failed,succeeded&limit=1',
  '?status=failed&status=queued',
  '?limit=abc',
  '?limit=-1',
  '?foo=1',
  '?from=2026-11-25',
  '?from=abc',
  '/abc',
  '/018f0000-0000-7000-8000-000000000000/messages?limit=5&after=1',
];

function strict(app: INestApplication): void {
  app.setGlobalPrefix('api/v2');
  app.enableVersioning({ type: VersioningType.URI, defaultVersion: '3' });
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
}

/** An answer without what differs between any two apps: ids, times and where the API is. */
function comparable({ status, headers, text }: { status: number; headers: Record<string, string>; text: string }) {
  const body = text
    .replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|"durationMs":\d+/g, '<time>')
    .replaceAll(/"nextCursor":"[\w-]+"/g, '<cursor>')
    .replaceAll('/api/v2/', '/');
  return { status, type: headers['content-type'], body };
}

describeEachAdapter('the admin API', (adapter) => {
  it('[C50] answers alike below a prefix, with URI versions and behind a strict ValidationPipe', async () => {
    const seen = async (base: string, configure?: (app: INestApplication) => void) => {
      const { activities, http }: AdminApp = await adminApp(adapter, { configure });
      await ended(activities, { type: 'good' });
      await failed(activities, { type: 'bad' }, 'no');
      const answers = [];
      for (const query of QUERIES) answers.push(await http.get(base + query));
      const id = await running(activities, { type: 'long' });
      answers.push(
        await http.post(`${base}/${id}/cancel`).send({ reason: 'x', more: 1 }),
        await http.post(`${base}/${id}/cancel`).send({ reason: 'x' }),
      );
      await activities.waitFor(id);
      answers.push(await http.delete(`${base}?status=failed&foo=1`), await http.delete(`${base}?status=failed`));
      return answers.map(comparable);
    };
    const plain = await seen('/admin/activities');
    expect(plain.map(({ status }) => status)).toEqual([
      200, 200, 200, 400, 400, 400, 400, 200, 400, 404, 404, 400, 202, 400, 200,
    ]);
    expect(await seen('/api/v2/admin/activities', strict)).toEqual(plain);
  });

  it('keeps its own address where versions are asked for by a header', async () => {
    const { http } = await adminApp(adapter, {
      configure: (app) =>
        app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version', defaultVersion: '1' }),
    });
    await http.get('/admin/activities').expect(200);
    await http.get('/admin/activities').set('X-Version', '2').expect(200);
  });
});
