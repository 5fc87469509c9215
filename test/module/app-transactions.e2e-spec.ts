import { Controller, Get, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { ActivityService, TrackedActivity, type ActivityModuleOptions } from 'nestjs-activity';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { describeEachDatabase } from '../support/databases.js';
import { PROGRAM_PATIENCE_MS, runProgram } from '../support/run-program.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

@Injectable()
class Steps {
  @TrackedActivity({ type: 'inside' })
  async inside(): Promise<string> {
    return 'inside';
  }
}

@Controller()
class Orders {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly activities: ActivityService,
    private readonly steps: Steps,
  ) {}

  @Get('orders')
  @TrackedActivity({ type: 'order' })
  async order(id: number, error?: Error): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      await manager.query(`INSERT INTO orders (id) VALUES (${id})`);
      await this.steps.inside();
      await this.activities.run({ type: 'logged' }, ({ log }) => log.info('kept'));
      await manager.query(`INSERT INTO orders (id) VALUES (${id + 100})`);
      if (error) throw error;
    });
  }
}

describeEachDatabase('[C71] an app’s own transaction', (database) => {
  let options: DataSourceOptions;

  beforeEach(async () => {
    ({ options } = await database.create(import.meta.url));
  });

  const start = async (activity: ActivityModuleOptions = {}) => {
    const tracked = await trackedApp(
      { providers: [Steps], controllers: [Orders] },
      // On SQLite the app's transaction is in the way of every write until it ends: calls in it go on without.
      { database: options, activity: { startTimeout: 200, ...activity } },
    );
    await tracked.dataSource.query('CREATE TABLE IF NOT EXISTS orders (id INT PRIMARY KEY)');
    const ids = async () =>
      (await tracked.dataSource.query<{ id: number }[]>('SELECT id FROM orders ORDER BY id')).map(({ id }) => id);
    return { ...tracked, orders: tracked.get(Orders), ids };
  };

  it('that rolls back takes no activity and no line with it, and is not disturbed by the tracker', async () => {
    const { orders, ids, probe } = await start();
    await expect(orders.order(1, new Error('rolled back'))).rejects.toThrow('rolled back');
    for (const type of ['order', 'inside', 'logged']) await probe.settled(type);
    const rows = await probe.rows();
    expect(rows.map(({ type, status }) => [type, status])).toEqual([
      ['order', 'failed'],
      ['inside', 'succeeded'],
      ['logged', 'succeeded'],
    ]);
    expect(await probe.lines(rows[2]!.id)).toEqual(['kept']);
    expect(await ids()).toEqual([]);
    await orders.order(2);
    expect(await ids()).toEqual([2, 102]);
  });

  it('goes on and commits where the tracker can write nothing', async () => {
    await start();
    await closeApps();
    const { orders, ids, dataSource } = await start({ migrations: 'check' });
    for (const table of ['activity_messages', 'activities', 'activity_keys']) {
      await dataSource.query(`DROP TABLE ${table}`);
    }
    await orders.order(1);
    expect(await ids()).toEqual([1, 101]);
  });

  it(
    'does not take the tracker along where a library puts every query of a call into it',
    async () => {
      const { exitCode, stdout, stderr } = await runProgram(
        new URL('cls-transactions/app.ts', import.meta.url),
        options,
      );
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(stdout.split('marker ')[1]!)).toEqual({ error: 'Error: rolled back', orders: [2] });
      const { probe } = await trackedApp({}, { database: options });
      const rows = await probe.rows();
      expect(rows.map(({ type, status }) => [type, status])).toEqual([
        ['order', 'failed'],
        ['inside', 'succeeded'],
        ['logged', 'succeeded'],
        ['order', 'succeeded'],
        ['inside', 'succeeded'],
        ['logged', 'succeeded'],
      ]);
      expect(await probe.lines(rows[2]!.id)).toEqual(['kept']);
    },
    PROGRAM_PATIENCE_MS,
  );
});
