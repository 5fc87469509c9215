import { Controller, Injectable, Post, UseGuards } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { CurrentActivity, TrackedActivity, type ActivityContext } from 'nestjs-activity';
import supertest from 'supertest';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { usersOfRequests } from './known-users.js';

afterEach(closeApps);

@Injectable()
class Jobs {
  readonly ran = { interval: deferred(), timeout: deferred() };
  isBroken = false;

  @Cron('0 0 1 1 *', { name: 'nightly' })
  @TrackedActivity({ type: 'nightly' })
  async nightly(): Promise<string> {
    if (this.isBroken) throw new Error('the job is broken');
    return 'done';
  }

  @TrackedActivity({ type: 'long' })
  @Cron('0 0 1 1 *', { name: 'long' })
  async long(): Promise<void> {
    await this.wait();
  }

  @TrackedActivity({ type: 'wait' })
  async wait(@CurrentActivity() activity?: ActivityContext): Promise<void> {
    await activity!.sleep(60_000);
  }

  @Interval('often', 1)
  @TrackedActivity({ type: 'interval', limit: { key: 'interval', max: 1 } })
  async often(): Promise<void> {
    this.ran.interval.resolve();
  }

  @Timeout('once', 1)
  @TrackedActivity({ type: 'timeout' })
  async once(): Promise<void> {
    this.ran.timeout.resolve();
  }
}

@Controller('jobs')
@UseGuards(usersOfRequests)
class JobsController {
  constructor(private readonly jobs: Jobs) {}

  @Post('nightly')
  runNow() {
    return this.jobs.nightly();
  }
}

const module = { imports: [ScheduleModule.forRoot()], controllers: [JobsController], providers: [Jobs] };

describe('[C46] a scheduled job', () => {
  it.each(['interval', 'timeout'] as const)('is one activity each time: %s', async (kind) => {
    const { app, get, probe } = await trackedApp(module);
    await get(Jobs).ran[kind].promise;
    app.get(SchedulerRegistry).deleteInterval('often');
    expect(await probe.settled(kind)).toMatchObject({
      status: 'succeeded',
      actor: null,
      origin: { kind: 'schedule', label: kind === 'interval' ? 'Jobs.often' : 'Jobs.once' },
    });
  });

  it('has no actor, but for one that the module finds', async () => {
    const { app, probe } = await trackedApp(module, {
      activity: {
        actor: ({ context, request, className, methodName }) => `${className}.${methodName} ${!context && !request}`,
      },
    });
    void app.get(SchedulerRegistry).getCronJob('nightly').fireOnTick();
    expect(await probe.settled('nightly')).toMatchObject({
      actor: { id: 'Jobs.nightly true' },
      origin: { kind: 'schedule', label: 'Jobs.nightly' },
    });
  });

  it('that a handler calls by hand is of its request', async () => {
    const { app, probe } = await trackedApp(module);
    await supertest(app.getHttpServer()).post('/jobs/nightly').set('x-user', 'ada').expect(201, 'done');
    expect(await probe.settled('nightly')).toMatchObject({
      actor: { id: 'ada' },
      origin: { kind: 'http', label: 'POST /jobs/nightly' },
    });
  });

  it('that fails is a failed activity, logged by the scheduler as ever', async () => {
    const { app, get, probe, log } = await trackedApp(module);
    get(Jobs).isBroken = true;
    void app.get(SchedulerRegistry).getCronJob('nightly').fireOnTick();
    expect(await probe.settled('nightly')).toMatchObject({
      status: 'failed',
      reason: 'error',
      error: { message: 'the job is broken' },
    });
    expect(log.lines).toContainEqual(expect.objectContaining({ level: 'error', text: 'Error: the job is broken' }));
  });

  it('is cancelled with all that it has called', async () => {
    const { app, probe, activities } = await trackedApp(module);
    void app.get(SchedulerRegistry).getCronJob('long').fireOnTick();
    const { id } = await probe.started('long');
    await probe.started('wait');
    await activities.cancel(id, { by: 'ada' });
    expect(await probe.settled('wait')).toMatchObject({ status: 'cancelled', reason: 'parent', parentId: id });
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });
});
