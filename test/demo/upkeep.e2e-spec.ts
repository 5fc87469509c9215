import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { DatabaseUpkeep } from '../../apps/demo/src/upkeep/database-upkeep.js';
import { closeApps, databaseFile, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describe('the job of every minute', () => {
  it('is one activity each time, which prunes old history and measures the database', async () => {
    const { get, probe, activities } = await trackedApp(
      { imports: [ScheduleModule.forRoot()], providers: [DatabaseUpkeep] },
      {
        database: { type: 'better-sqlite3', database: databaseFile() },
        activity: { retention: { maxCount: 2, minAge: 1 } },
      },
    );
    for (const type of ['one', 'two', 'three']) await activities.run({ type }, () => undefined);

    const [job] = [...get(SchedulerRegistry).getCronJobs().values()];
    expect(job!.cronTime.source).toBe('*/1 * * * *');
    await job!.fireOnTick();
    const row = await probe.settled('database.upkeep');
    expect(row).toMatchObject({
      status: 'succeeded',
      origin: { label: 'DatabaseUpkeep.everyMinute' },
      metadata: { bytes: expect.any(Number), rows: { activities: 3, activity_messages: 0, activity_chores: 0 } },
    });
    expect(await probe.lines(row.id)).toEqual([
      '1 old activities deleted',
      expect.stringMatching(/^\d+ KB: 3 activities, /),
    ]);
  });
});
