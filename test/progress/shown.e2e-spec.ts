import { beforeAll, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { adminApp, ended, type AdminApp } from '../admin/admin-app.js';
import { describeEachAdapter } from '../support/adapters.js';
import { describeEachDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';

const BASE = '/admin/activities';

describeEachDatabase('the admin API', (database) => {
  describeEachAdapter((adapter) => {
    let admin: AdminApp;
    const detail = async (id: string) => (await admin.http.get(`${BASE}/${id}`).expect(200)).body;
    const overwrite = (id: string, values: string) =>
      admin.app.get(DataSource).query(`UPDATE activities SET ${values} WHERE id = '${id}'`);

    beforeAll(async () => {
      admin = await adminApp(adapter, { database: (await database.create(import.meta.url)).options });
    });

    it('[F29] shows how far an activity is, in lists and in its detail, with the steps in the detail alone', async () => {
      const activity = await admin.activities.start({ type: 'shown' });
      activity.steps([{ name: 'list', weight: 1 }, { name: 'hash', weight: 4 }, 'sum']);
      activity.step('list');
      activity.step('hash', { total: 3, unit: 'files' });
      activity.progress({ current: 1 });
      const shown = await eventually(
        () => detail(activity.id),
        ({ progress }) => progress.current === 1,
      );
      const progress = { percent: 38.89, current: 1, total: 3, unit: 'files', perSecond: null };
      expect(shown).toMatchObject({ progress, expectedEndAt: null, step: 'hash', omittedStepCount: 0, usual: null });
      expect(shown.steps.map((step: { name: string; status: string }) => [step.name, step.status])).toEqual([
        ['list', 'succeeded'],
        ['hash', 'running'],
        ['sum', 'pending'],
      ]);
      expect(shown.steps[1]).toMatchObject({ startedAt: shown.steps[0].endedAt, progress: { percent: 33.33 } });
      const { body } = await admin.http.get(`${BASE}?type=shown`).expect(200);
      expect(body.items[0]).toMatchObject({ progress, expectedEndAt: null, step: 'hash' });
      for (const name of ['steps', 'usual', 'omittedStepCount']) expect(body.items[0]).not.toHaveProperty(name);
      await activity.succeed();
    });

    it('tells in the detail how long such activities usually take: those of the same scope that succeeded', async () => {
      const of = { type: 'usual', scope: 'a' };
      for (let minutes = 1; minutes <= 7; minutes++) {
        const id = await ended(admin.activities, of);
        await overwrite(id, `ended_at = started_at + ${minutes * 60_000}`);
      }
      const other = await ended(admin.activities, { ...of, scope: 'b' });
      const running = await admin.activities.start(of);
      const minute = 60_000;
      const usual = { count: 7, fromMs: 2.5 * minute, medianMs: 4 * minute, toMs: 5.5 * minute };
      expect((await detail(running.id)).usual).toEqual(usual);
      expect((await detail(other)).usual).toBeNull();
      expect(await admin.activities.usualDuration('usual', { scope: 'a' })).toEqual(usual);
      expect(await admin.activities.usualDuration('usual')).toBeNull();
      await running.succeed();
    });

    it('[C87] shows progress that was rounded by one rule, the same on each database', async () => {
      for (const [given, percent] of [
        [100 / 3, 33.33],
        [200 / 3, 66.67],
        [0.1 + 0.2, 0.3],
        [99.996, 100],
      ] as const) {
        const activity = await admin.activities.start({ type: 'rounded' });
        activity.progress(given);
        await activity.fail(new Error('enough'));
        const { progress } = await detail(activity.id);
        expect(progress).toEqual({ percent, current: null, total: null, unit: null, perSecond: null });
      }
    });

    it('shows a percentage from 0 to 100, or none, whatever a row of another hand has', async () => {
      const isSqlite = database.kind === 'sqlite';
      const cases: [values: string, percent: number | null][] = [
        ['progress_percent = NULL', null],
        ['progress_percent = 250', 100],
        ['progress_percent = -3', 0],
        // Only SQLite keeps text in a column of numbers.
        ...(isSqlite ? [["progress_percent = 'x'", null] satisfies [string, null]] : []),
      ];
      for (const [values, percent] of cases) {
        const id = await ended(admin.activities, { type: 'odd' });
        for (const steps of ['NULL', "'{}'", "'[]'", "'null'", `'{"items":3}'`, "'no JSON'"]) {
          await overwrite(id, `${values}, steps = ${steps}`);
          expect(await detail(id)).toMatchObject({ progress: { percent }, steps: [], omittedStepCount: 0 });
        }
        const { body } = await admin.http.get(`${BASE}?type=odd&limit=1`).expect(200);
        expect(body.items[0].progress.percent).toBe(percent);
      }
    });
  });
});
