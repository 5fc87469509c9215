import { setTimeout as delay } from 'node:timers/promises';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describeEachDatabase('the row of an activity', (database) => {
  async function appOnIt() {
    const { options } = await database.create(import.meta.url);
    return trackedApp({}, { database: options, activity: { retention: { maxAge: 1 } } });
  }

  it('[C01] stays as it is after the end, whatever is said then, without a word to the caller', async () => {
    const { activities, probe } = await appOnIt();
    const handle = await activities.start({ type: 'late' });
    handle.progress(40);
    handle.log.info('in time');
    await handle.succeed();
    const before = await probe.row(handle.id);
    handle.progress(55);
    handle.step('x');
    handle.log.info('late');
    handle.metadata.merge({ a: 1 });
    // A second activity's end is durable only after everything that was given to the store before.
    await activities.run({ type: 'after' }, () => 1);
    expect(await probe.row(handle.id)).toEqual(before);
    expect(before).toMatchObject({ status: 'succeeded', progress: { percent: 100 }, latestMessage: 'in time' });
    expect(before).toMatchObject({ step: null, metadata: {} });
    expect(await probe.lines(handle.id)).toEqual(['in time']);
    expect([probe.count('started', handle.id), probe.count('settled', handle.id)]).toEqual([1, 1]);
  });

  it('[C13] may be deleted by hand while the work runs: that goes on, with one warning and no orphan', async () => {
    const { activities, probe, log, dataSource } = await appOnIt();
    const gone = deferred();
    const written = deferred();
    const work = activities.run({ type: 'deleted' }, async (activity) => {
      activity.log.info('before');
      written.resolve();
      await gone.promise;
      activity.log.info('after');
      activity.progress(50);
      return 'value';
    });
    const { id } = await probe.started();
    await written.promise;
    // No delete of ours takes what is active.
    await activities.clearHistory({ all: true });
    await activities.prune();
    expect(await probe.row(id)).toMatchObject({ status: 'running' });
    if (database.kind === 'sqlite') await dataSource.query('PRAGMA foreign_keys = ON');
    await dataSource.query(`DELETE FROM activities WHERE id = '${id}'`);
    gone.resolve();
    expect(await work).toBe('value');
    expect(await activities.get(id)).toBeNull();
    const [left] = await dataSource.query<{ n: unknown }[]>('SELECT COUNT(*) AS n FROM activity_messages');
    expect(Number(left?.n)).toBe(0);
    expect(log.warnings(id)).toHaveLength(1);
  });

  it('[C18] has a duration in milliseconds, never negative when the clock steps back', async () => {
    const { activities, probe } = await appOnIt();
    await activities.run({ type: 'short' }, () => delay(7));
    const now = Date.now;
    const handle = await activities.start({ type: 'back' });
    try {
      Date.now = () => now() - 2_000;
      await handle.succeed();
    } finally {
      Date.now = now;
    }
    const [short, back] = await Promise.all([probe.settled('short'), probe.settled('back')]);
    expect(short.durationMs).toBeGreaterThanOrEqual(6);
    expect(short.durationMs).toBeLessThan(1_000);
    expect(short.durationMs).toBe(short.endedAt!.getTime() - short.startedAt!.getTime());
    expect(back.durationMs).toBeGreaterThanOrEqual(0);
    expect(back.endedAt!.getTime()).toBeGreaterThanOrEqual(back.startedAt!.getTime());
    const { items } = await activities.list({});
    const listed = new Map(items.map(({ type, durationMs }) => [type, durationMs]));
    expect(listed).toEqual(new Map([short, back].map(({ type, durationMs }) => [type, durationMs])));
  });
});
