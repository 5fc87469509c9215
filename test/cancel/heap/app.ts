import 'reflect-metadata';
import { getEventListeners } from 'node:events';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, type ActivityContext } from 'nestjs-activity';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
    ActivityModule.forRoot({ shutdownGrace: 50 }),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'fatal'] });
const activities = app.get(ActivityService);
const parent = new AbortController();

/** All that a body can leave behind on its signal, on its parent's and on the given one. */
async function body(activity: ActivityContext): Promise<void> {
  activity.onCancel(() => undefined);
  activities.track(activity.id, parent.signal);
  await activity.uncancellable('step', () => Promise.resolve());
  await activity.run({ type: 'child', signal: parent.signal }, (child) => void child.onCancel(() => undefined));
}

async function thousands(around: ActivityContext, count: number): Promise<number> {
  for (let done = 0; done < count; done += 50) {
    await Promise.all(Array.from({ length: 50 }, () => around.run({ type: 'one', signal: parent.signal }, body)));
  }
  // The rows are in memory too, in a heap of SQLite's own.
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
}

const result = await activities.run({ type: 'long-lived' }, async (around) => {
  const before = await thousands(around, 2_000);
  const after = await thousands(around, 2_000);
  return {
    grown: after - before,
    listeners: [parent.signal, around.signal].map((signal) => getEventListeners(signal, 'abort').length),
  };
});
await app.close();
process.stdout.write(`\nmarker ${JSON.stringify(result)}\n`);
