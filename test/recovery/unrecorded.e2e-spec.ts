import { afterEach, expect, it } from '@jest/globals';
import { describeEachDatabase } from '../support/databases.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describeEachDatabase('an end that the database refuses for good', (database) => {
  it('does not leave a row that says it runs for ever: a sweep ends it, and says that its outcome is not recorded [C04]', async () => {
    const { options } = await database.create(import.meta.url);
    const { activities, dataSource, probe, log } = await trackedApp(
      {},
      { database: options, activity: { lease: 500, cancelPoll: 100 } },
    );
    await dataSource.query(
      database.kind === 'sqlite'
        ? "CREATE TRIGGER refuse BEFORE UPDATE ON activities WHEN NEW.status = 'succeeded' BEGIN SELECT RAISE(ABORT, 'no success here'); END"
        : "ALTER TABLE activities ADD CONSTRAINT refuse CHECK (status <> 'succeeded')",
    );
    const { id, done } = await activities.runInBackground({ type: 'copy' }, async (activity) => {
      activity.log.info('copied');
      await activity.flushed();
      return 'all of it';
    });
    expect(await done).toBe('all of it');
    expect(await probe.settled(id)).toMatchObject({ status: 'interrupted', reason: 'owner_lost', messageCount: 2 });
    expect(await activities.waitFor(id)).toMatchObject({ id });
    expect((await probe.lines(id)).at(-1)).toContain('its work has ended, but how could not be recorded');
    expect(log.warnings('could not be recorded')).toHaveLength(1);
    expect(probe.count('settled', id)).toBe(1);
  });
});
