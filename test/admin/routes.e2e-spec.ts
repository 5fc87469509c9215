import { jest } from '@jest/globals';
import { map } from 'rxjs';
import request from 'supertest';
import { describeEachAdapter } from '../support/adapters.js';
import { deferred } from '../support/deferred.js';
import { adminApp, ended, failed, idsOf, running, type AdminApp } from './admin-app.js';

const UNKNOWN_ID = '018f0000-0000-7000-8000-000000000000';
const BASE = '/admin/activities';

describeEachAdapter('the admin API', (adapter) => {
  describe('its list', () => {
    let admin: AdminApp;
    let ids: Record<'pull' | 'push' | 'scan' | 'child', string>;
    const list = (query = '') => admin.http.get(`${BASE}${query}`);

    beforeAll(async () => {
      admin = await adminApp(adapter);
      const { activities } = admin;
      const image = { type: 'image', id: 'a,b' };
      const pull = await ended(activities, { type: 'image.pull', resource: image, actor: 'ada', batchId: 'b1' });
      const push = await failed(activities, { type: 'image.push', actor: 'bob', scope: 'blue' }, new Error('no space'));
      const scan = await ended(activities, { type: 'scan', resource: { type: 'image', id: 'other' } });
      const child = await ended(activities, { type: 'scan.layer', parentId: scan });
      ids = { pull, push, scan, child };
    });

    it('gives summaries, newest first, with times as ISO text and without the bodies', async () => {
      const { body, headers } = await list()
        .expect(200)
        .expect('Content-Type', /^application\/json/);
      expect(idsOf({ body })).toEqual([ids.child, ids.scan, ids.push, ids.pull]);
      expect(body.nextCursor).toBeNull();
      expect(body.items[2]).toMatchObject({
        type: 'image.push',
        scope: 'blue',
        status: 'failed',
        reason: 'error',
        actor: { id: 'bob' },
        errorMessage: 'no space',
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/),
      });
      for (const left of ['metadata', 'error', 'result']) expect(body.items[2]).not.toHaveProperty(left);
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      });
    });

    it.each<[string, (keyof typeof ids)[]]>([
      ['?status=failed', ['push']],
      ['?status=failed,cancelled', ['push']],
      ['?status=succeeded', ['child', 'scan', 'pull']],
      ['?status=running', []],
      ['?type=image.pull', ['pull']],
      ['?type=image.pull,image.push', ['push', 'pull']],
      ['?type=image', []],
      ['?scope=blue', ['push']],
      ['?resourceType=image', ['scan', 'pull']],
      ['?resourceType=image&resourceId=a,b', ['pull']],
      ['?resourceId=a%2Cb', ['pull']],
      ['?actor=ada', ['pull']],
      ['?batch=b1', ['pull']],
      ['?from=1971-01-01&to=9999-12-31', ['child', 'scan', 'push', 'pull']],
      ['?to=1971-01-01', []],
      ['?from=9999-12-31', []],
      ['?status=succeeded&actor=bob', []],
    ])('filters by %s', async (query, expected) => {
      expect(idsOf(await list(query).expect(200))).toEqual(expected.map((name) => ids[name]));
    });

    it('filters by parent, in any spelling of its id', async () => {
      for (const parent of [ids.scan, ids.scan.toUpperCase()]) {
        expect(idsOf(await list(`?parent=${parent}`).expect(200))).toEqual([ids.child]);
      }
    });

    it('gives pages by cursor, each activity once', async () => {
      const first = await list('?limit=3').expect(200);
      expect(first.body.items).toHaveLength(3);
      const second = await list(`?limit=3&cursor=${first.body.nextCursor}`).expect(200);
      expect(second.body.nextCursor).toBeNull();
      expect([...idsOf(first), ...idsOf(second)]).toEqual([ids.child, ids.scan, ids.push, ids.pull]);
    });

    it('answers a HEAD like a GET, without a body', async () => {
      const { text, headers } = await admin.http.head(BASE).expect(200);
      expect([text, headers['cache-control']]).toEqual([undefined, 'no-store']);
    });

    it('[C17] refuses a misspelt status, and names the allowed', async () => {
      const { body } = await list('?status=sucess').expect(400);
      expect(body).toMatchObject({ code: 'ACTIVITY_QUERY_INVALID' });
      expect(body.problems).toEqual([
        expect.stringMatching(/"sucess".*queued, running, cancelling, succeeded, failed/),
      ]);
      await admin.http.delete(`${BASE}?status=sucess`).expect(400);
      expect(idsOf(await list())).toHaveLength(4);
    });

    it.each([
      ['?status=failed&status=queued', /`status` is given more than once.*one list with commas/],
      ['?limit=1&limit=2', /`limit` is given more than once: give it once/],
      ['?foo=1', /unknown parameter "foo" \(allowed: status, type, scope/],
      ['?status[]=failed', /unknown parameter "status\[\]"/],
      ['?constructor=1&__proto__=2', /unknown parameter "constructor"/],
      ['?status=', /`status` is "": it must be one of/],
      ['?status=failed,', /`status` is "failed,"/],
      ['?status=FAILED', /`status` is "FAILED"/],
      ['?type=', /`type` is "": it must be 1 to 50 texts of 1 to 128 characters/],
      [`?type=${'x'.repeat(129)}`, /`type` is "x{60}…": it must be/],
      [`?type=${'x,'.repeat(60)}x`, /1 to 50 texts/],
      [`?resourceId=${'x'.repeat(1_001)}`, /`resourceId` .* 1 to 1000 characters/],
      ['?parent=abc', /`parent` is "abc": it must be a UUID/],
      ['?limit=abc', /`limit` is "abc": it must be a whole number from 1 to 200/],
      ['?from=abc', /`from` is "abc": it must be a time in ISO 8601/],
      ['?to=2026-02-30', /`to` is "2026-02-30"/],
      ['?cursor=abc', /cursor/],
    ])('refuses %s and says why', async (query, expected) => {
      const { body } = await list(query)
        .expect(400)
        .expect('Content-Type', /^application\/problem\+json/);
      expect(body).toMatchObject({ type: 'about:blank', title: 'Bad Request', status: 400, instance: BASE });
      expect(body.problems).toEqual(expect.arrayContaining([expect.stringMatching(expected)]));
      expect(body.detail).toMatch(expected);
    });

    it('names all that is wrong at once', async () => {
      const { body } = await list('?limit=0&from=x&foo=1').expect(400);
      expect(body.problems).toHaveLength(3);
    });

    it('does not answer more than it was asked: ten problems, what is allowed once, and how many more', async () => {
      const names = Array.from({ length: 1_500 }, (_, index) => `p${index}`);
      const query = `?${names.map((name) => `${name}=`).join('&')}`;
      const { body, text } = await list(query).expect(400);
      expect(body.problems).toHaveLength(11);
      expect(body.problems[0]).toMatch(/unknown parameter "p0" \(allowed: status, type/);
      expect(body.problems.slice(1)).toEqual([
        ...names.slice(1, 10).map((name) => `unknown parameter "${name}"`),
        '… and 1490 more',
      ]);
      expect(text.length).toBeLessThan(query.length);

      const keys = await admin.http
        .post(`${BASE}/018f0000-0000-7000-8000-000000000000/cancel`)
        .send(Object.fromEntries(names.map((name) => [name, 1])))
        .expect(400);
      expect(keys.body.problems).toHaveLength(11);
      expect(keys.text.length).toBeLessThan(2_000);
    });
  });

  describe('one activity', () => {
    it('is given whole, with its result, metadata and error', async () => {
      const { activities, http } = await adminApp(adapter);
      const kept = await activities.run({ type: 'kept', keepResult: true, metadata: { a: 1 } }, ({ id }) => ({ id }));
      const { body } = await http.get(`${BASE}/${kept.id}`).expect(200).expect('Cache-Control', 'no-store');
      expect(body).toMatchObject({ id: kept.id, result: kept, metadata: { a: 1 }, error: null });
      expect(typeof body.durationMs).toBe('number');
      const upperCase = await http.get(`${BASE}/${kept.id.toUpperCase()}`).expect(200);
      expect(upperCase.body).toEqual(body);
    });

    it.each([UNKNOWN_ID, 'abc', "1' OR '1'='1", '%00', '..%2F..'])('answers 404 for the id %s', async (id) => {
      const { http } = await adminApp(adapter);
      for (const call of [
        http.get(`${BASE}/${id}`),
        http.get(`${BASE}/${id}/messages`),
        http.post(`${BASE}/${id}/cancel`),
      ]) {
        const { body } = await call.expect(404).expect('Content-Type', /^application\/problem\+json/);
        expect(body).toMatchObject({ status: 404, title: 'Not Found', code: 'ACTIVITY_NOT_FOUND' });
      }
    });

    it('gives its log by `seq`, to go on from, by level', async () => {
      const { activities, http } = await adminApp(adapter);
      const id = await activities.run({ type: 'logs' }, ({ id: own, log }) => {
        for (let line = 1; line <= 12; line++) log[line % 2 ? 'info' : 'warn'](`line ${line}`);
        return own;
      });
      const lines = async (query: string) => (await http.get(`${BASE}/${id}/messages${query}`).expect(200)).body;
      const first = await lines('?limit=9');
      expect(first.items).toHaveLength(9);
      expect(first.items[0]).toMatchObject({ activityId: id, seq: 1, level: 'info', text: 'line 1' });
      expect(first.next).toBe(9);
      const rest = await lines(`?after=${first.next}`);
      expect(rest.items.map(({ seq }: { seq: number }) => seq)).toEqual([10, 11, 12]);
      expect(rest.next).toBe(12);
      expect(await lines('?after=12')).toEqual({ items: [], next: 12 });
      expect((await lines('?level=warn,error')).items).toHaveLength(6);
      for (const query of ['?limit=1001', '?limit=0', '?after=-1', '?after=1.5', '?level=loud', '?status=failed']) {
        await http.get(`${BASE}/${id}/messages${query}`).expect(400);
      }
    });
  });

  describe('a cancel', () => {
    it('[C12] is taken, may be repeated, and tells "too late" from "never existed"', async () => {
      const { activities, http, probe } = await adminApp(adapter);
      await http.post(`${BASE}/${UNKNOWN_ID}/cancel`).expect(404);

      const done = await ended(activities, { type: 'done' });
      const late = await http.post(`${BASE}/${done}/cancel`).expect(409);
      expect(late.body).toMatchObject({
        code: 'ACTIVITY_ALREADY_SETTLED',
        activityId: done,
        activityStatus: 'succeeded',
        instance: `${BASE}/${done}/cancel`,
      });

      const stop = deferred();
      const begun = deferred<string>();
      let aborts = 0;
      const { done: work } = await activities.runInBackground({ type: 'slow to stop' }, async (activity) => {
        activity.signal.addEventListener('abort', () => aborts++);
        begun.resolve(activity.id);
        await stop.promise;
        activity.throwIfCancelled();
      });
      const id = await begun.promise;
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => http.post(`${BASE}/${id}/cancel`).send({ reason: `r${n}` })),
      );
      for (const { status, body } of answers) {
        expect(status).toBe(202);
        expect(body).toMatchObject({ id, status: 'cancelling' });
      }
      expect(new Set(answers.map(({ body }) => body.cancel.reason)).size).toBe(1);
      stop.resolve();
      await work.catch(() => undefined);
      expect(aborts).toBe(1);
      expect(probe.count('cancelling', id)).toBe(1);
      const settled = await http.get(`${BASE}/${id}`).expect(200);
      expect(settled.body).toMatchObject({ status: 'cancelled', reason: 'user', cancel: answers[0]!.body.cancel });
    });

    it('keeps the reason, and takes the actor from the request, never from its body', async () => {
      const { activities, http } = await adminApp(adapter, {
        admin: { public: true, actor: ({ headers }) => Promise.resolve(String(headers['x-operator'])) },
      });
      const id = await running(activities, { type: 'long' });
      const asked = http.post(`${BASE}/${id.toUpperCase()}/cancel`).set('X-Operator', 'ada');
      const { body } = await asked.send({ reason: 'wrong tag' }).expect(202);
      expect(body).toMatchObject({ id, cancel: { by: { id: 'ada' }, reason: 'wrong tag' } });
      expect(await activities.waitFor(id)).toMatchObject({ status: 'cancelled', reason: 'user' });

      const other = await running(activities, { type: 'long' });
      const forged = await http.post(`${BASE}/${other}/cancel`).send({ by: 'root', actor: 'root' }).expect(400);
      expect(forged.body.problems).toEqual([
        'unknown property "by" (allowed: reason, force, wait, timeoutMs)',
        'unknown property "actor"',
      ]);
      expect(await activities.get(other)).toMatchObject({ status: 'running', cancel: null });
    });

    it('is by `request.user` unless an option says otherwise', async () => {
      const signIn = {
        canActivate: (context: { switchToHttp(): { getRequest(): { user?: unknown } } }) => {
          context.switchToHttp().getRequest().user = { sub: 7, name: 'Ada' };
          return true;
        },
      };
      const { activities, http } = await adminApp(adapter, { admin: { guards: [signIn] } });
      const id = await running(activities, { type: 'long' });
      const { body } = await http.post(`${BASE}/${id}/cancel`).expect(202);
      expect(body.cancel).toMatchObject({ by: { id: '7', name: 'Ada' }, reason: null });
    });

    it('ends at once what was waiting for a slot', async () => {
      const { activities, http, probe } = await adminApp(adapter);
      const limit = { key: 'one', max: 1 };
      const holder = await running(activities, { type: 'holder', limit });
      const { id } = await activities.runInBackground({ type: 'waiter', limit }, () => 'ran');
      await probe.queued('waiter');
      const { body } = await http.post(`${BASE}/${id}/cancel`).expect(202);
      expect(body).toMatchObject({ id, status: 'cancelled', reason: 'user', startedAt: null });
      await http.post(`${BASE}/${holder}/cancel`).expect(202);
    });

    it('[F18] by force ends work that does not, with who and why', async () => {
      const { activities, http } = await adminApp(adapter, { admin: { public: true, actor: () => 'ada' } });
      const end = deferred();
      const begun = deferred<string>();
      const { done } = await activities.runInBackground({ type: 'deaf' }, ({ id: own }) => {
        begun.resolve(own);
        return end.promise;
      });
      const id = await begun.promise;
      await http.post(`${BASE}/${id}/cancel`).send({ reason: 'wrong tag' }).expect(202);
      const asked = http.post(`${BASE}/${id}/cancel`).send({ force: true, wait: 'settled' });
      const { body } = await asked.expect(200);
      expect(body).toMatchObject({
        id,
        status: 'cancelled',
        reason: 'forced',
        cancel: { by: { id: 'ada' }, reason: 'wrong tag' },
      });
      await http.post(`${BASE}/${id}/cancel`).send({ force: true }).expect(409);
      end.resolve();
      await done.catch(() => undefined);
    });

    it('waits where it is asked to: 200 with the ended one, or 202 with where it stands when the time is over', async () => {
      const { activities, http } = await adminApp(adapter);
      const quick = await running(activities, { type: 'quick' });
      const ends = await http.post(`${BASE}/${quick}/cancel`).send({ wait: 'settled' }).expect(200);
      expect(ends.body).toMatchObject({ id: quick, status: 'cancelled', reason: 'user' });

      const [end, begun] = [deferred(), deferred<string>()];
      const { done } = await activities.runInBackground({ type: 'slow' }, ({ id, uncancellable }) =>
        uncancellable('write the ledger', () => {
          begun.resolve(id);
          return end.promise;
        }),
      );
      const slow = await begun.promise;
      const late = await http.post(`${BASE}/${slow}/cancel`).send({ wait: 'settled', timeoutMs: 20 }).expect(202);
      expect(late.body).toMatchObject({ id: slow, status: 'cancelling', criticalSection: 'write the ledger' });
      end.resolve();
      await done;
    });

    it('is refused with the present status where the activity is not cancellable', async () => {
      const { activities, http } = await adminApp(adapter);
      const handle = await activities.start({ type: 'firm', cancellable: false });
      const { body } = await http.post(`${BASE}/${handle.id}/cancel`).expect(409);
      expect(body).toMatchObject({
        code: 'ACTIVITY_NOT_CANCELLABLE',
        activityId: handle.id,
        activityStatus: 'running',
      });
      await handle.succeed();
    });

    it.each([
      ['a list', [], 400],
      ['a reason that is no text', { reason: 5 }, 400],
      ['a reason that is too long', { reason: 'x'.repeat(2_001) }, 400],
      ['force that is no truth', { force: 'yes' }, 400],
      ['a wait that there is not', { wait: 'forever' }, 400],
      ['a time that is too long', { wait: 'settled', timeoutMs: 60_001 }, 400],
      ['a time that is none', { timeoutMs: 0.5 }, 400],
      ['no reason', {}, 202],
      ['a reason of null', { reason: null }, 202],
      ['a reason as long as may be', { reason: 'x'.repeat(2_000) }, 202],
    ])('with %s as its body is answered as it deserves', async (_what, body, status) => {
      const { activities, http } = await adminApp(adapter);
      const id = await running(activities, { type: 'long' });
      await http.post(`${BASE}/${id}/cancel`).send(body).expect(status);
      expect((await activities.get(id))?.cancel === null).toBe(status === 400);
    });

    it('takes an empty body for no reason at all, and refuses what is no JSON', async () => {
      const { activities, http } = await adminApp(adapter);
      const id = await running(activities, { type: 'long' });
      await http.post(`${BASE}/${id}/cancel`).type('json').send('{"reason":').expect(400);
      await http.post(`${BASE}/${id}/cancel`).type('json').send('"x"').expect(400);
      expect(await activities.get(id)).toMatchObject({ cancel: null });
      // Announced as JSON and empty: Fastify refuses that before any route.
      const empty = await http.post(`${BASE}/${id}/cancel`).type('application/json; charset=utf-8');
      expect(empty.status).toBe(adapter.kind === 'fastify' ? 400 : 202);
    });

    it('that fails before any route is answered by Nest in its own form, and changes nothing', async () => {
      const { activities, http, log } = await adminApp(adapter);
      const id = await running(activities, { type: 'long' });
      const cancel = (path: string) => http.post(`${BASE}/${path}/cancel`).type('json');
      const answers = [
        await cancel(id).send('{"reason":'),
        await cancel(id).send(JSON.stringify({ reason: 'x'.repeat(2_000_000) })),
        await cancel('%E0%A4%A').send('{}'),
      ];
      expect(answers.map(({ status }) => status)).toEqual([400, 413, 400]);
      for (const { headers, body } of answers) {
        expect(headers['content-type']).toMatch(/^application\/json/);
        expect(body).toMatchObject({ message: expect.any(String) as string });
      }
      expect(await activities.get(id)).toMatchObject({ cancel: null });
      expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    });

    it('[C128] is not made by a link, a form or a page of another site, nor is a deletion', async () => {
      const { activities, http } = await adminApp(adapter);
      const id = await running(activities, { type: 'long' });
      const ofPast = await ended(activities, { type: 'past' });
      const cancel = () => http.post(`${BASE}/${id}/cancel`).set('Cookie', 'session=1');
      const crossSite = { 'Sec-Fetch-Site': 'cross-site' };

      await http.get(`${BASE}/${id}/cancel`).expect(404);
      await http.get(`${BASE}/${id}/delete`).expect(404);
      await cancel().type('text/plain').send('{"reason":"x"}').expect(415);
      await cancel().type('form').send({ reason: 'x' }).expect(415);
      await cancel().type('form').expect(415);
      await cancel().set(crossSite).expect(403);
      await cancel().set(crossSite).send({ reason: 'x' }).expect(403);
      await http.post(`${BASE}/${id}/cancel`).set(crossSite).expect(403);
      await http.delete(`${BASE}?all=true`).set('Cookie', 'session=1').set(crossSite).expect(403);
      const refused = await cancel()
        .set(crossSite)
        .expect('Content-Type', /^application\/problem\+json/);
      expect(refused.body).toMatchObject({ status: 403, code: 'FORBIDDEN' });

      expect(await activities.get(id)).toMatchObject({ status: 'running', cancel: null });
      expect(await activities.get(ofPast)).not.toBeNull();
      const framed = await http.get(BASE).expect(200);
      expect(framed.headers['content-security-policy']).toContain("frame-ancestors 'none'");
      // A script of another site that CORS has let through, with a token of its own.
      await http.post(`${BASE}/${id}/cancel`).set(crossSite).set('Authorization', 'Bearer t').send({}).expect(202);
    });
  });

  describe('clearing the history', () => {
    it('deletes what the filter names, and says how many', async () => {
      const { activities, http } = await adminApp(adapter);
      await ended(activities, { type: 'a', batchId: 'b1' });
      await failed(activities, { type: 'a' }, new Error('x'));
      await ended(activities, { type: 'b' });
      expect((await http.delete(`${BASE}?status=failed`).expect(200)).body).toEqual({ deleted: 1 });
      expect((await http.delete(`${BASE}?batch=none`).expect(200)).body).toEqual({ deleted: 0 });
      expect((await http.delete(`${BASE}?type=a&batch=b1`).expect(200)).body).toEqual({ deleted: 1 });
      expect((await activities.list()).items.map(({ type }) => type)).toEqual(['b']);
    });

    it('needs a filter or `all=true`, and spares what is active', async () => {
      const { activities, http } = await adminApp(adapter);
      const active = await running(activities, { type: 'long' });
      await ended(activities, { type: 'past' });
      for (const query of ['', '?', '?all=false', '?all=', '?all=1', '?all=true&type=a', '?limit=5', '?type=']) {
        const { body } = await http.delete(`${BASE}${query}`).expect(400);
        expect(body).toMatchObject({ code: 'ACTIVITY_QUERY_INVALID' });
      }
      expect((await activities.list()).items).toHaveLength(2);
      expect((await http.delete(`${BASE}?all=true`).expect(200)).body).toEqual({ deleted: 1 });
      expect((await activities.list()).items.map(({ id }) => id)).toEqual([active]);
      expect((await http.delete(`${BASE}?status=running`).expect(200)).body).toEqual({ deleted: 0 });
    });
  });

  describe('a failure', () => {
    it('[C134] tells the client neither stack nor SQL nor parameters, and the log everything', async () => {
      const secret = Object.assign(new Error('SQLITE_ERROR: no such column: hunter2'), {
        name: 'QueryFailedError',
        query: 'SELECT hunter2 FROM users WHERE token = ?',
        parameters: ['s3cret'],
      });
      const { activities, http, log } = await adminApp(adapter);
      const id = await failed(activities, { type: 'query' }, new Error('could not save', { cause: secret }));
      const { text, body } = await http.get(`${BASE}/${id}`).expect(200);
      expect(body.error).toMatchObject({ name: 'Error', message: 'could not save' });
      expect(text).not.toMatch(/"stack"|at .*\.ts:\d|SELECT|s3cret/);

      jest.spyOn(activities, 'list').mockRejectedValue(secret);
      const broken = await http
        .get(BASE)
        .expect(500)
        .expect('Content-Type', /^application\/problem\+json/);
      expect(broken.body).toEqual({
        type: 'about:blank',
        title: 'Internal Server Error',
        status: 500,
        detail: 'The request could not be answered.',
        code: 'INTERNAL_SERVER_ERROR',
        instance: BASE,
      });
      expect(log.lines).toContainEqual(
        expect.objectContaining({ level: 'error', text: expect.stringContaining('hunter2') }),
      );
    });

    it('shows stacks to those who are let in where the option says so', async () => {
      const { activities, http } = await adminApp(adapter, { admin: { public: true, stacks: true } });
      const id = await failed(activities, { type: 'query' }, new Error('x'));
      expect((await http.get(`${BASE}/${id}`)).body.error.stack).toContain('routes.e2e-spec');
    });
  });

  it('answers the same behind an interceptor that wraps, caches or serializes every answer', async () => {
    const { activities, http, url } = await adminApp(adapter, {
      configure: (app) =>
        app.useGlobalInterceptors({
          intercept: (_context, next) => next.handle().pipe(map((data: unknown) => ({ data }))),
        }),
    });
    const id = await ended(activities, { type: 'a' });
    expect(idsOf(await request(url).get(BASE).expect(200))).toEqual([id]);
    expect((await http.get(`${BASE}/${id}`).expect(200)).body).toMatchObject({ id });
    expect((await http.get(`${BASE}/abc`).expect(404)).body).toMatchObject({ code: 'ACTIVITY_NOT_FOUND' });
  });
});
