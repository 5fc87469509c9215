import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  ActivityModule,
  ActivityService,
  type ActivityContext,
  type ActivityModuleOptions,
  type ActivityOptions,
  type Actor,
} from 'nestjs-activity';
import { redisBus } from 'nestjs-activity/redis';
import type { DataSourceOptions } from 'typeorm';

/** On what the process works, as its last argument. */
export interface OwnerOrder {
  options: DataSourceOptions;
  activity: ActivityModuleOptions;
  /** Address of the Redis that is its bus. */
  redis?: string;
}

/** What it is told: to run an activity that lasts until it is stopped, or until it is told to let it end. */
export type OwnerTask =
  | { do: 'run'; options: ActivityOptions; isDeaf?: boolean }
  | { do: 'end'; id: string; result: string }
  | { do: 'close' };

interface Begun<Kind> {
  kind: Kind;
  id: string;
  type: string;
}

/** What it says. `at`: of the machine's monotonic clock, which all its processes share, in nanoseconds. */
export type OwnerWord =
  | { kind: 'connected'; isConnected: boolean | null }
  | Begun<'queued'>
  | Begun<'running'>
  | { kind: 'stopped'; id: string; at: string; abortReason: string; by: Actor | null; userReason: string | null };

const { options, activity, redis } = JSON.parse(process.argv[2]!) as OwnerOrder;
const say = (word: OwnerWord): void => void process.send!(word);

@Module({
  imports: [
    TypeOrmModule.forRoot(options),
    ActivityModule.forRoot({ ...activity, ...(redis === undefined ? {} : { bus: redisBus({ url: redis }) }) }),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const activities = app.get(ActivityService);
const ends = new Map<string, (result: string) => void>();

activities.on(({ name, activity: { id, type } }) => {
  if (name === 'queued') say({ kind: 'queued', id, type });
});

function run({ options: of, isDeaf = false }: OwnerTask & { do: 'run' }): void {
  const work = activities.run(of, ({ id, signal }: ActivityContext) => {
    say({ kind: 'running', id, type: of.type });
    return new Promise<string>((resolve, reject) => {
      ends.set(id, resolve);
      if (!isDeaf) signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  });
  work.catch((error: { activityId: string; abortReason: string; by: Actor | null; userReason: string | null }) => {
    const { activityId: id, abortReason, by, userReason } = error;
    say({ kind: 'stopped', id, at: String(process.hrtime.bigint()), abortReason, by, userReason });
  });
}

process.on('message', (task: OwnerTask) => {
  if (task.do === 'run') run(task);
  if (task.do === 'end') ends.get(task.id)?.(task.result);
  if (task.do === 'close') void app.close().then(() => process.disconnect());
});

/** Told at once, and whenever it changes: a test waits for it. */
let told: boolean | null | undefined;
const tell = (): void => {
  const isConnected = activities.stats().bus?.isConnected ?? null;
  if (isConnected !== told) say({ kind: 'connected', isConnected });
  told = isConnected;
};
tell();
setInterval(tell, 5).unref();
