import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, TrackedActivity } from 'nestjs-activity';
import { DataSource } from 'typeorm';
import { KeptLog, closeApps, databaseFile, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

async function tablesOf(dataSource: DataSource): Promise<string[]> {
  const rows = await dataSource.query<{ name: string }[]>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'activit%'",
  );
  return rows.map(({ name }) => name).toSorted();
}

describe('[C49] the data source', () => {
  const tables = [
    'activities',
    'activity_chores',
    'activity_keys',
    'activity_limits',
    'activity_messages',
    'activity_migrations',
    'activity_owners',
    'activity_slots',
  ];

  it.each([
    ['forRoot', ActivityModule.forRoot({ dataSource: 'audit' })],
    ['forRootAsync', ActivityModule.forRootAsync({ useFactory: async () => Promise.resolve({ dataSource: 'audit' }) })],
  ])('is the one named, by %s, and no other gets a table', async (_how, tracker) => {
    const [main, audit] = [databaseFile(), databaseFile()];
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'better-sqlite3', database: main }),
        TypeOrmModule.forRoot({ name: 'audit', type: 'better-sqlite3', database: audit }),
        tracker,
      ],
    }).compile();
    const app = module.createNestApplication();
    await app.init();
    await app.get(ActivityService).run({ type: 'x' }, () => 1);
    expect(await tablesOf(app.get(DataSource))).toEqual([]);
    expect(await tablesOf(app.get<DataSource>('auditDataSource'))).toEqual(tables);
    await app.close();
  });

  it('may be the only one of the app, under its name', async () => {
    const module = await Test.createTestingModule({
      imports: [
        ActivityModule.forRoot({ dataSource: 'audit' }),
        TypeOrmModule.forRoot({ name: 'audit', type: 'better-sqlite3', database: databaseFile() }),
      ],
    }).compile();
    const app = module.createNestApplication();
    await app.init();
    expect(await app.get(ActivityService).run({ type: 'x' }, () => 1)).toBe(1);
    await app.close();
  });

  it.each([
    ['a wrong name', { dataSource: 'adit' }, /"adit"/],
    ['none at all', {}, /TypeOrmModule\.forRoot/],
  ])('is named in the error where there is none: %s', async (_what, options, message) => {
    const module = await Test.createTestingModule({ imports: [ActivityModule.forRoot(options)] }).compile();
    const app = module.createNestApplication();
    app.useLogger(new KeptLog());
    await expect(app.init()).rejects.toThrow(message);
    await app.close();
  });

  it('may be one of the tracker’s own, beside an app without any', async () => {
    const module = await Test.createTestingModule({
      imports: [ActivityModule.forRoot({ connection: { type: 'better-sqlite3', database: databaseFile() } })],
    }).compile();
    const app = module.createNestApplication();
    await app.init();
    expect(await app.get(ActivityService).run({ type: 'x' }, () => 1)).toBe(1);
    await app.close();
  });
});

describe('[C51] tracked calls outside of the app’s life', () => {
  @Injectable()
  class Early {
    @TrackedActivity({ type: 'early' })
    async work(): Promise<string> {
      return 'done';
    }
    async onModuleInit(): Promise<void> {
      await this.work();
    }
  }
  @Module({ providers: [Early], exports: [Early] })
  class EarlyModule {}

  it('wait for the store during the start, and are refused clearly after the close', async () => {
    const { app, probe, get, activities } = await trackedApp({ imports: [EarlyModule] }, { activityModuleLast: true });
    expect((await probe.rows()).map(({ type, status }) => [type, status])).toEqual([['early', 'succeeded']]);
    await app.close();
    await expect(get(Early).work()).rejects.toMatchObject({ code: 'ACTIVITY_SHUT_DOWN' });
    await expect(activities.run({ type: 'x' }, () => 1)).rejects.toThrow(
      /"x" was not started: the application is shutting down/,
    );
  });

  it('are refused while a second forRoot() is in the app', async () => {
    await expect(trackedApp({ imports: [ActivityModule.forRoot({ cancelGrace: 5 })] })).rejects.toMatchObject({
      code: 'ACTIVITY_MODULE_DUPLICATE',
    });
  });

  it('end as interrupted when they run at the close, the deaf ones too', async () => {
    const file = databaseFile();
    const first = await trackedApp({}, { database: { type: 'better-sqlite3', database: file } });
    const obeys = first.activities
      .run({ type: 'obeys' }, ({ sleep }) => sleep(60_000))
      .catch((error: unknown) => error);
    const writes = first.activities
      .run({ type: 'writes in finally' }, async ({ sleep, log }) => {
        try {
          await sleep(60_000);
        } finally {
          log.info('last words');
        }
      })
      .catch((error: unknown) => error);
    const deaf = first.activities
      .run({ type: 'deaf', cancelGrace: 30 }, () => new Promise(() => undefined))
      .catch((error: unknown) => error);
    await Promise.all(['obeys', 'writes in finally', 'deaf'].map((type) => first.probe.started(type)));
    await first.app.close();
    await Promise.all([obeys, writes, deaf]);
    const second = await trackedApp({}, { database: { type: 'better-sqlite3', database: file } });
    const rows = await second.probe.rows();
    expect(rows.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['obeys', 'interrupted', 'shutdown'],
      ['writes in finally', 'interrupted', 'shutdown'],
      ['deaf', 'interrupted', 'shutdown'],
    ]);
    expect(await second.probe.lines(rows[1]!.id)).toContain('last words');
  });
});
