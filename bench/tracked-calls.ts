import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, TrackedActivity } from 'nestjs-activity';
import { DataSource, EntitySchema, type DataSourceOptions } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { medianRate, reportGoal } from './measure.js';

const AT_ONCE = 64;
const ROUNDS = 3;

@Injectable()
class Nothing {
  @TrackedActivity({ type: 'bench.nothing' })
  async work(): Promise<void> {}
}

interface NaiveRow {
  id: string;
  type: string;
  status: string;
  startedAt: Date;
  endedAt: Date | null;
}

/** What many write first: an entity, saved at the start and again at the end. */
const naive = new EntitySchema<NaiveRow>({
  name: 'bench_naive',
  columns: {
    id: { type: 'varchar', length: 36, primary: true },
    type: { type: 'varchar', length: 128 },
    status: { type: 'varchar', length: 16 },
    startedAt: { type: Date },
    endedAt: { type: Date, nullable: true },
  },
});

/**
 * `@TrackedActivity` on a provider method that does nothing, 64 at once, start and end durable, against TypeORM's
 * `save()` twice on the same database. Both are counted afterwards.
 */
export async function benchTrackedCalls(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const url = process.env.TEST_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/test';
  const databases: [string, DataSourceOptions, { goal?: number; calls: number; saves: number }][] = [
    ['sqlite', { type: 'better-sqlite3', database: join(folder, 'bench.db') }, { calls: 20_000, saves: 3_000 }],
    ['postgres', { type: 'postgres', url }, { goal: 20, calls: 10_000, saves: 1_000 }],
  ];
  let allMet = true;
  try {
    for (const [name, options, { goal, calls, saves }] of databases) {
      if (!(await answers(options))) {
        console.log(`tracked-calls ${name}: skipped, no server answers (set TEST_POSTGRES_URL)`);
        continue;
      }
      const theirs = await measureSaves(options, saves);
      const ours = await measureCalls(options, calls);
      allMet = reportGoal(`tracked-calls ${name} save()`, { ours, theirs, goal }) && allMet;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return allMet;
}

async function measureCalls(options: DataSourceOptions, calls: number): Promise<number> {
  @Module({
    imports: [TypeOrmModule.forRoot(options), ActivityModule.forRoot({ tablePrefix: 'bench_' })],
    providers: [Nothing],
  })
  class BenchModule {}

  const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['warn', 'error'] });
  const nothing = app.get(Nothing);
  const dataSource = app.get(DataSource);
  try {
    const rate = await medianRate({ calls, rounds: ROUNDS, atOnce: AT_ONCE }, () => nothing.work());
    const [{ n }] = await dataSource.query<[{ n: number | string }]>(
      "SELECT COUNT(*) AS n FROM bench_activities WHERE status = 'succeeded'",
    );
    if (Number(n) !== calls * (ROUNDS + 1)) throw new Error(`${n} activities were recorded of ${calls * (ROUNDS + 1)}`);
    await app.get(ActivityService).clearHistory({ all: true });
    return rate;
  } finally {
    for (const table of ['activity_messages', 'activities', 'activity_owners', 'activity_migrations']) {
      await dataSource.query(`DROP TABLE bench_${table}`);
    }
    await app.close();
  }
}

async function measureSaves(options: DataSourceOptions, calls: number): Promise<number> {
  const dataSource = await new DataSource({ ...options, entities: [naive], synchronize: true }).initialize();
  const repository = dataSource.getRepository(naive);
  try {
    const rate = await medianRate({ calls, rounds: ROUNDS, atOnce: AT_ONCE }, async () => {
      const row = { id: uuid(), type: 'bench.nothing', status: 'running', startedAt: new Date(), endedAt: null };
      await repository.save(row);
      await repository.save({ ...row, status: 'succeeded', endedAt: new Date() });
    });
    const saved = await repository.countBy({ status: 'succeeded' });
    if (saved !== calls * (ROUNDS + 1)) throw new Error(`${saved} rows were saved of ${calls * (ROUNDS + 1)}`);
    return rate;
  } finally {
    await dataSource.query('DROP TABLE bench_naive');
    await dataSource.destroy();
  }
}

async function answers(options: DataSourceOptions): Promise<boolean> {
  try {
    const dataSource = await new DataSource(options).initialize();
    await dataSource.destroy();
    return true;
  } catch {
    return false;
  }
}
