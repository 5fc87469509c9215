import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, TrackedActivity, currentActivity } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';

/** A Nest application without a server: a script, a worker. */
@Injectable()
class Reports {
  @TrackedActivity({ type: 'report' })
  async build(): Promise<string> {
    currentActivity().log.info('building');
    return currentActivity().id;
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot(JSON.parse(process.env.DATABASE!) as DataSourceOptions),
    ActivityModule.forRoot({ shutdownGrace: 1, actor: () => 'the nightly script' }),
  ],
  providers: [Reports],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
const activities = app.get(ActivityService);
const report = await app.get(Reports).build();
const value = await activities.run({ type: 'run', actor: 'ops' }, ({ log }) => {
  log.info('running');
  return 7;
});
// Nobody waits for this one: the application stops while it runs.
const { id } = await activities.runInBackground({ type: 'left over' }, (activity) => activity.sleep(60_000));
await app.close();
process.stdout.write(`\nmarker ${JSON.stringify({ report, value, id })}\n`);
// Neither `process.exit()` nor a signal: a handle that is left would keep the process alive.
