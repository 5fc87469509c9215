import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const noon = Date.parse('2026-11-25T12:00:00Z');

/** The clock of the process stands still unless the test turns it; timers and databases go on as ever. */
describe('the expected end of an activity', () => {
  const turn = (ms: number) => jest.setSystemTime(Date.now() + ms);

  beforeEach(() => {
    jest.useFakeTimers({
      now: noon,
      doNotFake: [
        'setTimeout',
        'clearTimeout',
        'setInterval',
        'clearInterval',
        'setImmediate',
        'clearImmediate',
        'nextTick',
        'queueMicrotask',
        'performance',
        'hrtime',
      ],
    });
  });
  afterEach(async () => {
    jest.useRealTimers();
    await closeApps();
  });

  it('[F32] is on its row while it runs, from the rate since its work began and not its wait, and gone after its end', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { progressInterval: 1 } });
    const limit = { key: 'disk', max: 1 };
    const first = deferred();
    const holder = activities.run({ type: 'holder', limit }, () => first.promise);
    await probe.started('holder');
    const goOn = deferred();
    const done = activities.run({ type: 'copy', limit }, async (activity) => {
      activity.progress({ current: 0, total: 100, unit: 'files' });
      for (let files = 2; files <= 40; files += 2) {
        turn(SECOND);
        activity.progress({ current: files });
      }
      await goOn.promise;
    });
    const { id } = await probe.queued('copy');
    turn(HOUR);
    first.resolve();
    await holder;
    const row = await eventually(
      () => probe.row(id),
      ({ progress, expectedEndAt }) => progress.current === 40 && expectedEndAt !== null,
    );
    expect(row.progress).toEqual({ percent: 40, current: 40, total: 100, unit: 'files', perSecond: 2 });
    expect(row.expectedEndAt).toEqual(new Date(Date.now() + 30 * SECOND));
    expect((await activities.list({ type: 'copy' })).items[0]).toMatchObject({
      progress: row.progress,
      expectedEndAt: row.expectedEndAt,
    });
    goOn.resolve();
    await done;
    expect(await probe.row(id)).toMatchObject({
      expectedEndAt: null,
      progress: { percent: 100, current: 40, perSecond: null },
    });
  });
});
