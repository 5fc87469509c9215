import 'reflect-metadata';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { ClsPluginTransactional, Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { ActivityModule, ActivityService, TrackedActivity } from 'nestjs-activity';
import { ClsModule } from 'nestjs-cls';
import { DataSource, type DataSourceOptions } from 'typeorm';

/** An application whose every query of a call goes into the call's transaction, by async-local storage. */
@Injectable()
class Steps {
  @TrackedActivity({ type: 'inside' })
  async inside(): Promise<string> {
    return 'inside';
  }
}

@Injectable()
class Orders {
  constructor(
    @Inject(TransactionHost) private readonly host: TransactionHost<TransactionalAdapterTypeOrm>,
    @Inject(ActivityService) private readonly activities: ActivityService,
    @Inject(Steps) private readonly steps: Steps,
  ) {}

  @TrackedActivity({ type: 'order' })
  @Transactional()
  async order(id: number, error?: Error): Promise<void> {
    await this.host.tx.query(`INSERT INTO orders (id) VALUES (${id})`);
    await this.steps.inside();
    await this.activities.run({ type: 'logged' }, ({ log }) => log.info('kept'));
    if (error) throw error;
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot(JSON.parse(process.env.DATABASE!) as DataSourceOptions),
    // On SQLite the app's transaction is in the way of every write until it ends: calls in it go on without.
    ActivityModule.forRoot({ startTimeout: 200 }),
    ClsModule.forRoot({
      plugins: [
        new ClsPluginTransactional({
          adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: getDataSourceToken() }),
        }),
      ],
    }),
  ],
  providers: [Steps, Orders],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const dataSource = app.get(DataSource);
await dataSource.query('CREATE TABLE orders (id INT PRIMARY KEY)');
const orders = app.get(Orders);
const error = await orders.order(1, new Error('rolled back')).catch((reason: unknown) => String(reason));
await orders.order(2);
const rows = await dataSource.query<{ id: number }[]>('SELECT id FROM orders');
await app.close();
process.stdout.write(`\nmarker ${JSON.stringify({ error, orders: rows.map(({ id }) => id) })}\n`);
