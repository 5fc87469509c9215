import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, TrackedActivity, type ActivityModuleOptions } from 'nestjs-activity';
import { DataSource } from 'typeorm';
import type { BenchDatabase } from './bench-database.js';
import { generateHistory, type HistorySize } from './generated-history.js';

export const PREFIX = 'bench_';

@Injectable()
class Nothing {
  @TrackedActivity({ type: 'bench.nothing' })
  async work(): Promise<void> {}
}

/** Fills the tables, which a tracker has made. */
export async function fill({ options }: BenchDatabase, size: Omit<HistorySize, 'prefix'>): Promise<void> {
  const dataSource = await new DataSource(options).initialize();
  try {
    await generateHistory(dataSource, { ...size, prefix: PREFIX });
  } finally {
    await dataSource.destroy();
  }
}

/** An application with the tracker and a tracked method that does nothing. */
export async function openBenchApp({ options }: Pick<BenchDatabase, 'options'>, activity: ActivityModuleOptions = {}) {
  @Module({
    imports: [TypeOrmModule.forRoot(options), ActivityModule.forRoot({ ...activity, tablePrefix: PREFIX })],
    providers: [Nothing],
  })
  class BenchModule {}

  const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['warn', 'error'] });
  const dataSource = app.get(DataSource);
  return {
    nothing: app.get(Nothing),
    activities: app.get(ActivityService),
    /** Rows that stand as succeeded: what shows that the work was done. */
    async succeeded(): Promise<number> {
      const [{ n }] = await dataSource.query<[{ n: number | string }]>(
        `SELECT COUNT(*) AS n FROM ${PREFIX}activities WHERE status = 'succeeded'`,
      );
      return Number(n);
    },
    async lines(): Promise<number> {
      const [{ n }] = await dataSource.query<[{ n: number | string }]>(
        `SELECT COUNT(*) AS n FROM ${PREFIX}activity_messages`,
      );
      return Number(n);
    },
    close: () => app.close(),
  };
}
