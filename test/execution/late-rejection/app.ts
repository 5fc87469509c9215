import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService } from 'nestjs-activity';
import { deferred, type Deferred } from '../../support/deferred.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
    ActivityModule.forRoot({ shutdownGrace: 50, cancelGrace: 5 }),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['log', 'warn', 'error', 'fatal'] });
const activities = app.get(ActivityService);

const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => (error as { abortReason?: string }).abortReason ?? String(error));

// Each loser rejects when its race is over, so that nobody listens any more.
const losers: Deferred<never>[] = [];
const loser = (): Promise<never> => {
  const work = deferred<never>();
  losers.push(work);
  return work.promise;
};
const lateEnds = (): void => {
  for (const { reject } of losers.splice(0)) reject(new Error('too late'));
};

// The losers wait for nothing that Node would see, and the tracker's own timers keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const outcomes: Record<string, unknown> = {
  deadline: await outcomeOf(activities.run({ type: 'deadline', timeout: 20 }, loser)),
};
lateEnds();

const cancelled = activities.run({ type: 'cancelled' }, ({ id }) => {
  void activities.cancel(id);
  return loser();
});
outcomes['cancelled'] = await outcomeOf(cancelled);
lateEnds();

const holds = deferred();
const holder = activities.run({ type: 'holder', limit: { key: 'k', max: 1 } }, () => holds.promise);
const waiting = { type: 'waiting', limit: { key: 'k', max: 1 }, queueTimeout: 20 };
outcomes['queue'] = await outcomeOf(activities.run(waiting, loser));
holds.resolve();
await holder;

const background = await activities.runInBackground({ type: 'background' }, () =>
  Promise.reject(new Error('nobody listens')),
);
outcomes['background'] = (await activities.waitFor(background.id)).status;

if (process.argv.includes('--unhandled')) void Promise.reject(new Error('unhandled'));
// Unhandled rejections are told after the microtasks of a turn.
await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const row = (await activities.list({ type: 'deadline' })).items[0];
await app.close();
clearInterval(alive);
process.stdout.write(`\nmarker ${JSON.stringify({ ...outcomes, row: [row?.status, row?.reason] })}\n`);
