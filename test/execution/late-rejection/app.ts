import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService } from 'nestjs-activity';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
    ActivityModule.forRoot({ shutdownGrace: 50, cancelGrace: 5 }),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['log', 'warn', 'error', 'fatal'] });
const activities = app.get(ActivityService);

const rejectAfter = async (ms: number, text: string): Promise<never> => {
  await delay(ms);
  throw new Error(text);
};
const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => (error as { abortReason?: string }).abortReason ?? String(error));

// Whoever wins the race, the work rejects when nobody listens any more.
const late: Promise<unknown>[] = [];
const loser = () => {
  const work = rejectAfter(60, 'too late');
  late.push(work);
  return work;
};
const outcomes: Record<string, unknown> = {
  deadline: await outcomeOf(activities.run({ type: 'deadline', timeout: 20 }, loser)),
};

const cancelled = activities.run({ type: 'cancelled' }, ({ id }) => {
  void activities.cancel(id);
  return loser();
});
outcomes['cancelled'] = await outcomeOf(cancelled);

const holder = activities.run({ type: 'holder', limit: { key: 'k', max: 1 } }, () => delay(60));
const waiting = { type: 'waiting', limit: { key: 'k', max: 1 }, queueTimeout: 20 };
outcomes['queue'] = await outcomeOf(activities.run(waiting, loser));
await holder;

const background = await activities.runInBackground({ type: 'background' }, () => rejectAfter(5, 'nobody listens'));
outcomes['background'] = (await activities.waitFor(background.id)).status;

await Promise.allSettled(late);
if (process.argv.includes('--unhandled')) void rejectAfter(0, 'unhandled');
// Unhandled rejections are told after the microtasks of a turn.
await delay(20);
const row = (await activities.list({ type: 'deadline' })).items[0];
await app.close();
process.stdout.write(`\nmarker ${JSON.stringify({ ...outcomes, row: [row?.status, row?.reason] })}\n`);
