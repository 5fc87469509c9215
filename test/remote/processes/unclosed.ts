import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService } from 'nestjs-activity';
import { redisBus } from 'nestjs-activity/redis';
import type { DataSourceOptions } from 'typeorm';

/** On what it works, as its last argument. */
export interface UnclosedOrder {
  options: DataSourceOptions;
  /** Address of the Redis that is its bus. */
  redis?: string;
}

const { options, redis } = JSON.parse(process.argv[2]!) as UnclosedOrder;

@Module({
  imports: [
    TypeOrmModule.forRoot(options),
    ActivityModule.forRoot(redis === undefined ? {} : { bus: redisBus({ url: redis }) }),
  ],
})
class AppModule {}

// As a script does that has its result and nothing more to do: it closes nothing.
const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const activities = app.get(ActivityService);
while (!activities.stats().bus?.isConnected) await new Promise((resolve) => setTimeout(resolve, 1));
console.log(await activities.run({ type: 'script' }, () => 'done'));
