import { ActivityQueryError, type ActivityFilter } from 'nestjs-activity';
import { DataSource } from 'typeorm';
import { newActivityId } from '../../libs/activity/src/storage/activity-id.js';
import { describeEachAdapter } from '../support/adapters.js';
import { describeEachDatabase } from '../support/databases.js';
import { adminApp, ended, idsOf, running, type AdminApp } from './admin-app.js';

const BASE = '/admin/activities';
const UNKNOWN_ID = '018f0000-0000-7000-8000-000000000000';

describeEachDatabase('on each database: the admin API', (database) => {
  describeEachAdapter((adapter) => {
    let admin: AdminApp;
    const list = (query: string) => admin.http.get(`${BASE}?${query}`);
    /** Writes what no run can be made to have. */
    const overwrite = (id: string, values: string) =>
      admin.app.get(DataSource).query(`UPDATE activities SET ${values} WHERE id = '${id}'`);
    /** Makes an ended activity one of another time. @returns its id, which has that time in it. */
    const createdAt = async (id: string, time: Date): Promise<string> => {
      const then = newActivityId(time);
      await overwrite(id, `id = '${then}', created_at = ${time.getTime()}, ended_at = ${time.getTime()}`);
      return then;
    };

    beforeAll(async () => {
      admin = await adminApp(adapter, { database: (await database.create(import.meta.url)).options });
    });

    it('[C74] finds by time the same rows: with an offset, without, by day, at the last millisecond', async () => {
      const { activities } = admin;
      const scope = 'times';
      const at: Record<string, string> = {};
      for (const time of ['2026-11-24T23:59:59.999Z', '2026-11-25T09:30:00.000Z', '2026-11-25T10:00:00.000Z']) {
        const id = await ended(activities, { type: 'dated', scope });
        at[time] = await createdAt(id, new Date(time));
      }
      const [night, morning, ten] = Object.values(at);
      const found: [string, (string | undefined)[]][] = [
        ['from=2026-11-25T10:00:00Z', [ten]],
        ['from=2026-11-25T10:00:00.001Z', []],
        ['to=2026-11-25T10:00:00Z', [morning, night]],
        ['from=2026-11-25T11:30:00%2B02:00&to=2026-11-25T12:00:00%2B02:00', [morning]],
        // As curl sends it, where nobody escapes the plus sign.
        ['from=2026-11-25T12:00:00+02:00', [ten]],
        ['from=2026-11-25T10:00', [ten]],
        ['from=2026-11-25', [ten, morning]],
        ['from=2026-11-24&to=2026-11-24', [night]],
        ['to=2026-11-23', []],
        ['from=0001-01-01&to=9999-12-31', [ten, morning, night]],
      ];
      for (const [query, expected] of found) {
        const answer = await list(`scope=${scope}&${query}`).expect(200);
        expect([query, idsOf(answer)]).toEqual([query, expected]);
      }
      for (const wrong of [
        'abc',
        '',
        '2026',
        '2026-13-01',
        '2026-02-30',
        '25.11.2026',
        '2026-11-25T25:00Z',
        '1764064800',
      ]) {
        await list(`from=${wrong}`).expect(400);
        await list(`to=${wrong}`).expect(400);
      }
      const cleared = await admin.http.delete(`${BASE}?scope=${scope}&to=2026-11-24`).expect(200);
      expect(cleared.body).toEqual({ deleted: 1 });
      expect(idsOf(await list(`scope=${scope}`))).toEqual([ten, morning]);
    });

    it('[C76] takes a filter that is undefined for none, null for none set, and none at all only as a list', async () => {
      const { activities } = admin;
      const scope = 'wheres';
      const active = await running(activities, { type: 'active', scope });
      const alone = await ended(activities, { type: 'alone', scope });
      const batched = await ended(activities, {
        type: 'batched',
        scope,
        batchId: 'b',
        resource: { type: 't', id: '1' },
      });
      const ids = async (filter: ActivityFilter) =>
        (await activities.list({ scope, ...filter })).items.map(({ id }) => id);
      expect(await ids({ resourceId: undefined, batchId: undefined, status: undefined })).toEqual([
        batched,
        alone,
        active,
      ]);
      expect(await ids({ batchId: null })).toEqual([alone, active]);
      expect((await list('limit=200').expect(200)).body.items.length).toBeGreaterThanOrEqual(3);
      await expect(activities.clearHistory({ type: undefined })).rejects.toBeInstanceOf(ActivityQueryError);
      await admin.http.delete(BASE).expect(400);
      expect(await activities.clearHistory({ scope })).toBe(2);
      expect(await ids({})).toEqual([active]);
    });

    it('pages through rows of one millisecond, each once, while new ones arrive', async () => {
      const { activities } = admin;
      const scope = 'pages';
      const noon = new Date('2026-01-01T12:00:00Z');
      const old = await Promise.all(
        Array.from({ length: 60 }, async () =>
          createdAt(await ended(activities, { type: 'p', scope, batchId: 'b' }), noon),
        ),
      );
      const seen: string[] = [];
      let cursor: string | null = '';
      do {
        const page = await list(
          `scope=${scope}&batch=b&status=succeeded&limit=7${cursor && `&cursor=${cursor}`}`,
        ).expect(200);
        seen.push(...idsOf(page));
        cursor = page.body.nextCursor as string | null;
        await ended(activities, { type: 'p', scope, batchId: 'b' });
      } while (cursor !== null);
      expect(seen).toEqual(old.toSorted().toReversed());
    });

    it('[C80] sorts rows of one millisecond in one order, each once, while new ones arrive, and counts them', async () => {
      const { activities } = admin;
      const scope = 'sorted';
      const noon = new Date('2026-01-02T12:00:00Z');
      const types = ['b', 'B', 'a', 'ä', 'a-b'];
      const one = (type: string) => ended(activities, { type, scope, batchId: 'b', title: `needle ${type}` });
      const ids = await Promise.all(
        Array.from({ length: 60 }, async (_, n) => createdAt(await one(types[n % types.length]!), noon)),
      );
      const unended = new Set(ids.toSorted().slice(0, 12));
      for (const id of ids) await overwrite(id, 'started_at = created_at');
      for (const id of unended) await overwrite(id, `status = 'running', ended_at = NULL`);
      for (const sort of ['type', 'status', '-finished', '-duration']) {
        const seen: { id: string; type: string; status: string }[] = [];
        for (let cursor = ''; ;) {
          const query = `scope=${scope}&batch=b&search=NEEDLE&to=2026-01-02&sort=${sort}&limit=7`;
          const { body } = await list(`${query}${cursor && `&cursor=${cursor}`}`).expect(200);
          seen.push(...(body.items as typeof seen));
          if (body.nextCursor === null) break;
          cursor = body.nextCursor as string;
          await one('new');
        }
        const key = ({ id, type, status }: (typeof seen)[number]) =>
          ({ type, status, '-finished': unended.has(id) ? 1 : 0, '-duration': unended.has(id) ? 1 : 0 })[sort]!;
        const expected = seen.toSorted((a, b) => {
          const order = Buffer.compare(Buffer.from(String(key(a))), Buffer.from(String(key(b))));
          return order === 0 ? (a.id < b.id ? 1 : -1) : order;
        });
        expect([sort, seen.map(({ id }) => id)]).toEqual([sort, expected.map(({ id }) => id)]);
        expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(ids));
      }
      expect(await activities.count({ scope, createdBefore: new Date('2026-01-03') })).toEqual({
        count: 60,
        isExact: true,
      });
      await admin.activities.clearHistory({ scope });
    });

    it('[C81] takes `%`, `_`, quotes and backslashes as themselves, and sorts by nothing but what it knows', async () => {
      const { activities } = admin;
      const scope = 'wildcards';
      const values = ['%', '_', '50%', '\\', "'", '"', 'a\u0000b', '; DROP TABLE activities', 'plain'];
      for (const id of values) await ended(activities, { type: 'w', scope, resource: { type: 'r', id }, actor: id });
      for (const value of values) {
        for (const name of ['resourceId', 'actor']) {
          const { body } = await list(`scope=${scope}&${name}=${encodeURIComponent(value)}`).expect(200);
          expect([name, value, body.items.length]).toEqual([name, value, 1]);
        }
      }
      for (const [text, count] of Object.entries({ '%25': 2, _: 1, '50%25': 1, '%5C': 1, "'": 1, '!': 0, PLAIN: 1 })) {
        const { body } = await list(`scope=${scope}&search=${text}`).expect(200);
        expect([text, body.items.length]).toEqual([text, count]);
      }
      for (const sort of ['id;DROP', 'error', 'constructor', '__proto__', 'toString', '-type', '']) {
        const { body } = await list(`sort=${encodeURIComponent(sort)}`).expect(400);
        expect(body.problems).toEqual([expect.stringContaining('it must be one of -created, -finished, ')]);
      }
      for (const query of ['order=x', 'constructor=1', '__proto__=1']) {
        const { body } = await list(query).expect(400);
        expect(body.problems[0]).toContain('unknown parameter');
      }
    });

    it('[C84] keeps texts apart that differ in case, accents or a blank at the end', async () => {
      const { activities } = admin;
      const pairs = {
        scope: ['Ümlaut', 'Umlaut', 'umlaut', 'umlaut '],
        batch: ['Ab1', 'aB1'],
        actor: ['é', 'e', 'e '],
      };
      const found: Record<string, string[]> = {};
      for (const scope of pairs.scope)
        (found[`scope=${scope}`] ??= []).push(await ended(activities, { type: 'c', scope }));
      for (const batchId of pairs.batch) {
        (found[`batch=${batchId}`] ??= []).push(await ended(activities, { type: 'c', batchId }));
      }
      for (const actor of pairs.actor)
        (found[`actor=${actor}`] ??= []).push(await ended(activities, { type: 'c', actor }));
      for (const [query, ids] of Object.entries(found)) {
        expect([query, idsOf(await list(encodeURI(query)).expect(200))]).toEqual([query, ids]);
      }
      await expect(activities.run({ type: 'c', batchId: 'x ' }, () => 1)).rejects.toMatchObject({
        code: 'ACTIVITY_OPTION_INVALID',
      });
    });

    it('[C85] answers ids that are none with 404 (Fastify itself: 414 beyond 100 characters), and takes a UUID in capitals', async () => {
      const id = await ended(admin.activities, { type: 'u' });
      for (const wrong of [
        'abc',
        'x'.repeat(5_000),
        `${UNKNOWN_ID}0`,
        UNKNOWN_ID,
        UNKNOWN_ID.toUpperCase(),
        '%00',
        '-1',
      ]) {
        const { http } = admin;
        const answers = await Promise.all([
          http.get(`${BASE}/${wrong}`),
          http.get(`${BASE}/${wrong}/messages`),
          http.get(`${BASE}/${wrong}/events`),
          http.post(`${BASE}/${wrong}/cancel`).send({}),
          http.delete(`${BASE}/${wrong}`),
        ]);
        const ours = adapter.kind === 'fastify' && wrong.length > 100 ? 414 : 404;
        expect([wrong.slice(0, 40), answers.map(({ status }) => status)]).toEqual([
          wrong.slice(0, 40),
          [ours, ours, ours, ours, 404],
        ]);
      }
      const capitals = id.toUpperCase();
      expect((await admin.http.get(`${BASE}/${capitals}`).expect(200)).body.id).toBe(id);
      await admin.http.get(`${BASE}/${capitals}/messages`).expect(200);
      await admin.http.post(`${BASE}/${capitals}/cancel`).expect(409);
    });

    it('[C86] refuses page values that are negative, huge or no number, without a word of the database', async () => {
      const wrong = [
        'limit=-1',
        'limit=0',
        'limit=201',
        'limit=1e9',
        'limit=abc',
        'limit=',
        'limit=1.5',
        'limit=99999999999999999999',
      ];
      for (const query of [...wrong, 'offset=-5', 'page=0', 'cursor=-1', 'cursor=%00', `cursor=${'x'.repeat(600)}`]) {
        const { body } = await list(query).expect(400);
        expect(body).toMatchObject({ code: 'ACTIVITY_QUERY_INVALID', title: 'Bad Request' });
      }
      await list('limit=200').expect(200);
    });

    it('[C87] gives numbers as numbers: counts beyond 32 bits, progress in decimals, `seq` in its order', async () => {
      const id = await admin.activities.run({ type: 'n' }, (activity) => {
        activity.progress(100 / 3);
        for (let line = 1; line <= 11; line++) activity.log.info(`line ${line}`);
        return activity.id;
      });
      await overwrite(id, 'message_count = 3000000000');
      const { body } = await admin.http.get(`${BASE}/${id}`).expect(200);
      expect(body.messageCount).toBe(3_000_000_000);
      for (const name of ['warningCount', 'errorCount', 'durationMs', 'version'])
        expect(typeof body[name]).toBe('number');
      expect(body.progress.percent).toBe(100);
      const item = (await list('type=n&limit=1')).body.items[0];
      expect(item.progress).toEqual(body.progress);
      const { body: tail } = await admin.http.get(`${BASE}/${id}/messages?after=9`).expect(200);
      expect(tail).toMatchObject({ items: [{ seq: 10 }, { seq: 11 }], next: 11 });
    });
  });
});
