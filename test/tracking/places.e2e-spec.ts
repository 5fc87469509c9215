import {
  Body,
  ConflictException,
  Controller,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  ParseIntPipe,
  Post,
  Scope,
  UseGuards,
  UsePipes,
  ValidationPipe,
  type CanActivate,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Cron, Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { ApiOperation, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { IsInt } from 'class-validator';
import {
  ActivityModule,
  CurrentActivity,
  TrackedActivity,
  currentActivity,
  type ActivityContext,
} from 'nestjs-activity';
import supertest from 'supertest';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp, type HttpKind } from '../support/tracked-app.js';

afterEach(closeApps);

@Injectable()
class OpenGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class ClosedGuard implements CanActivate {
  canActivate(): boolean {
    throw new ForbiddenException('not you');
  }
}

class Body1 {
  @IsInt()
  n!: number;
}

describe.each<HttpKind>(['express', 'fastify'])('@TrackedActivity on a controller, with %s', (http) => {
  @Controller('orders')
  class OrderController {
    @TrackedActivity({ type: 'above' })
    @Get('above/:id')
    @UseGuards(OpenGuard)
    @UsePipes(new ValidationPipe())
    @ApiOperation({ summary: 'above' })
    async above(@Param('id', ParseIntPipe) id: number, @CurrentActivity() activity: ActivityContext) {
      return { id, activity: activity.id };
    }

    @Get('below/:id')
    @UseGuards(OpenGuard)
    @UsePipes(new ValidationPipe())
    @ApiOperation({ summary: 'below' })
    @TrackedActivity({ type: 'below' })
    async below(@CurrentActivity() activity: ActivityContext, @Param('id', ParseIntPipe) id: number) {
      return { id, activity: activity.id };
    }

    @UseGuards(OpenGuard)
    @TrackedActivity({ type: 'between' })
    @Get('between')
    between(): string {
      return currentActivity().id;
    }

    @Get('forbidden')
    @TrackedActivity()
    @UseGuards(ClosedGuard)
    async forbidden() {
      return 'never';
    }

    @Post('invalid')
    @TrackedActivity()
    async invalid(@Body(new ValidationPipe()) body: Body1) {
      return body;
    }

    @Post('conflict')
    @TrackedActivity({ type: 'conflict' })
    async conflict() {
      throw new ConflictException({ message: 'already there', holder: 7 });
    }
  }

  it('records exactly one activity, with other decorators above or below it, and fills the parameter', async () => {
    const { app, probe } = await trackedApp({ controllers: [OrderController] }, { http });
    const client = supertest(app.getHttpServer());
    const above = await client.get('/orders/above/7').expect(200);
    const below = await client.get('/orders/below/8').expect(200);
    const between = await client.get('/orders/between').expect(200);
    const rows = await probe.rows();
    expect(rows.map(({ type, status }) => [type, status])).toEqual([
      ['above', 'succeeded'],
      ['below', 'succeeded'],
      ['between', 'succeeded'],
    ]);
    expect(above.body).toEqual({ id: 7, activity: rows[0]!.id });
    expect(below.body).toEqual({ id: 8, activity: rows[1]!.id });
    expect(between.text).toBe(rows[2]!.id);
    expect(rows[0]!.origin).toMatchObject({ kind: 'http', label: 'GET /orders/above/:id' });
    const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    expect(document.paths['/orders/above/{id}']?.get?.summary).toBe('above');
    expect(document.paths['/orders/below/{id}']?.get?.summary).toBe('below');
  });

  it('leaves no row for a 403 of a guard or a 400 of a pipe, and one failed row for a 409 of the handler', async () => {
    const { app, probe } = await trackedApp({ controllers: [OrderController] }, { http });
    const client = supertest(app.getHttpServer());
    await client.get('/orders/forbidden').expect(403);
    await client.post('/orders/invalid').send({ n: 'x' }).expect(400);
    await client.get('/orders/above/abc').expect(400);
    expect(await probe.rows()).toEqual([]);
    const answer = await client.post('/orders/conflict').expect(409);
    expect(answer.body).toEqual({ message: 'already there', holder: 7 });
    expect(await probe.only()).toMatchObject({ type: 'conflict', status: 'failed', reason: 'error' });
  });

  it('takes the batch of the Activity-Batch-Id header, and refuses a bad one without a row', async () => {
    const { app, probe } = await trackedApp({ controllers: [OrderController] }, { http });
    const client = supertest(app.getHttpServer());
    for (const bad of ['../x', 'x'.repeat(65), 'a b']) {
      const answer = await client.get('/orders/above/1').set('Activity-Batch-Id', bad).expect(400);
      expect(answer.body).toMatchObject({ message: expect.stringContaining('1 to 64 characters') as string });
    }
    expect(await probe.rows()).toEqual([]);
    await client.get('/orders/above/1').set('Activity-Batch-Id', 'b-1').expect(200);
    expect((await probe.only()).batchId).toBe('b-1');
  });
});

describe('[F27] @TrackedActivity on a plain provider', () => {
  @Injectable()
  class ReportService {
    @TrackedActivity({ type: 'report', resource: ({ args: [id] }) => ({ type: 'report', id }) })
    async build(id: string, @CurrentActivity() activity?: ActivityContext): Promise<string> {
      return `${id}:${activity!.id}`;
    }
    @TrackedActivity({ type: 'outer' })
    async outer(): Promise<string> {
      return this.build('nested');
    }
  }

  @Injectable()
  class Startup {
    constructor(private readonly reports: ReportService) {}
    async onApplicationBootstrap(): Promise<void> {
      await this.reports.build('bootstrap');
    }
    async onModuleInit(): Promise<void> {
      await this.reports.build('init');
    }
  }

  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {
    constructor(@Inject(REQUEST) private readonly request: { url: string }) {}
    @TrackedActivity({ type: 'per-request' })
    async where(): Promise<string> {
      return this.request.url;
    }
  }

  @Controller()
  class Caller {
    constructor(
      private readonly reports: ReportService,
      private readonly perRequest: PerRequest,
    ) {}
    @Get('report')
    async report() {
      return this.reports.build('from controller');
    }
    @Get('scoped')
    async scoped() {
      return this.perRequest.where();
    }
  }

  @Injectable()
  class Nightly {
    readonly ran = deferred();
    constructor(private readonly reports: ReportService) {}
    @Cron('0 0 1 1 *', { name: 'nightly report' })
    async run(): Promise<void> {
      await this.reports.build('cron');
      this.ran.resolve();
    }
  }

  it('[C38] is tracked whoever calls it: a controller, a start-up hook, a cron run, another method of the instance', async () => {
    const { app, probe, get } = await trackedApp({
      controllers: [Caller],
      imports: [ScheduleModule.forRoot()],
      providers: [ReportService, Startup, PerRequest, Nightly],
    });
    await supertest(app.getHttpServer()).get('/report').expect(200);
    await get(ReportService).outer();
    void app.get(SchedulerRegistry).getCronJob('nightly report').fireOnTick();
    await get(Nightly).ran.promise;
    const rows = await probe.rows();
    expect(rows.map(({ type, resource, status }) => [type, resource?.id, status])).toEqual([
      ['report', 'init', 'succeeded'],
      ['report', 'bootstrap', 'succeeded'],
      ['report', 'from controller', 'succeeded'],
      ['outer', undefined, 'succeeded'],
      ['report', 'nested', 'succeeded'],
      ['report', 'cron', 'succeeded'],
    ]);
  });

  it('is tracked in a request-scoped provider', async () => {
    const { app, probe } = await trackedApp({ controllers: [Caller], providers: [ReportService, PerRequest] });
    await supertest(app.getHttpServer()).get('/scoped').expect(200, '/scoped');
    expect(await probe.only()).toMatchObject({ type: 'per-request', status: 'succeeded' });
  });

  it('is tracked on instances that Nest did not construct: useFactory and useValue, frozen too', async () => {
    class Plain {
      @TrackedActivity()
      async work(): Promise<string> {
        return 'done';
      }
    }
    const tokens = ['made', 'given', 'frozen'];
    const { app, probe } = await trackedApp({
      providers: [
        { provide: 'made', useFactory: () => new Plain() },
        { provide: 'given', useValue: new Plain() },
        { provide: 'frozen', useValue: Object.freeze(new Plain()) },
      ],
    });
    for (const token of tokens) expect(await app.get<Plain>(token).work()).toBe('done');
    expect((await probe.rows()).map(({ type }) => type)).toEqual(['Plain.work', 'Plain.work', 'Plain.work']);
  });
});

describe.each([
  ['before', false],
  ['after', true],
])('with ActivityModule imported %s the modules that call the methods', (_order, activityModuleLast) => {
  it('records each run of @Cron, @Interval and @OnEvent once', async () => {
    const ran = { cron: deferred(), interval: deferred(), event: deferred() };
    @Injectable()
    class Jobs {
      @Cron('0 0 1 1 *', { name: 'yearly' })
      @TrackedActivity({ type: 'cron' })
      async yearly(): Promise<void> {
        ran.cron.resolve();
      }
      @TrackedActivity({ type: 'interval' })
      @Interval('often', 5)
      async often(): Promise<void> {
        ran.interval.resolve();
        // One run is enough: the next would be another activity.
        await new Promise(() => undefined);
      }
      @OnEvent('order.created')
      @TrackedActivity({
        type: 'event',
        resource: ({ args: [order] }) => ({ type: 'order', id: String((order as { id: number }).id) }),
      })
      async created(order: { id: number }): Promise<void> {
        ran.event.resolve();
        void order;
      }
    }
    @Module({ imports: [ScheduleModule.forRoot(), EventEmitterModule.forRoot()], providers: [Jobs] })
    class JobModule {}

    const { app, probe } = await trackedApp(
      { imports: [JobModule] },
      { activityModuleLast, activity: { cancelGrace: 20 } },
    );
    await ran.interval.promise;
    app.get(SchedulerRegistry).deleteInterval('often');
    void app.get(SchedulerRegistry).getCronJob('yearly').fireOnTick();
    app.get(EventEmitter2).emit('order.created', { id: 9 });
    await Promise.all([ran.cron.promise, ran.event.promise, probe.settled('cron'), probe.settled('event')]);
    const rows = await probe.rows();
    const types = rows.map(({ type }) => type);
    expect(types.filter((type) => type === 'cron')).toHaveLength(1);
    expect(types.filter((type) => type === 'event')).toHaveLength(1);
    expect(rows.find(({ type }) => type === 'event')?.resource).toEqual({ type: 'order', id: '9', name: null });
    expect(types).toContain('interval');
  });
});

describe('inheritance', () => {
  class Base {
    @TrackedActivity({ type: 'base' })
    async run(): Promise<string> {
      return `base of ${this.constructor.name}`;
    }
  }
  @Injectable()
  class Child extends Base {}
  @Injectable()
  class Silent extends Base {
    override async run(): Promise<string> {
      return 'silent';
    }
  }
  @Injectable()
  class Loud extends Base {
    @TrackedActivity({ type: 'loud' })
    override async run(): Promise<string> {
      return `loud, ${await super.run()}`;
    }
  }

  it('[C42] tracks an inherited method once, an undecorated override not at all, and super as a child', async () => {
    const { probe, get } = await trackedApp({ providers: [Child, Silent, Loud] });
    expect(await get(Child).run()).toBe('base of Child');
    expect(await get(Silent).run()).toBe('silent');
    expect(await get(Loud).run()).toBe('loud, base of Loud');
    const rows = await probe.rows();
    expect(rows.map(({ type }) => type)).toEqual(['base', 'loud', 'base']);
    expect(rows[2]?.parentId).toBe(rows[1]?.id);
    expect(rows[0]?.parentId).toBeNull();
  });
});

describe('two applications in one process', () => {
  it('[C40] share nothing, and a module imported twice works once', async () => {
    @Injectable()
    class Shared {
      @TrackedActivity({ type: 'shared' })
      async work(): Promise<string> {
        return currentActivity().id;
      }
    }
    @Module({ imports: [ActivityModule], providers: [Shared], exports: [Shared] })
    class Feature {}
    const first = await trackedApp({ imports: [Feature, ActivityModule] });
    const second = await trackedApp({ imports: [Feature] });
    const [a, b] = [await first.get(Shared).work(), await second.get(Shared).work()];
    expect((await first.probe.only()).id).toBe(a);
    expect((await second.probe.only()).id).toBe(b);
    await expect(second.activities.cancel(a)).rejects.toMatchObject({ code: 'ACTIVITY_NOT_FOUND' });
    expect([first.probe.count('started'), second.probe.count('started')]).toEqual([1, 1]);

    // Work of the second inside work of the first is not its child: the rows are in two databases.
    await first.activities.run({ type: 'outer' }, () => second.get(Shared).work());
    expect((await second.probe.rows()).map(({ parentId }) => parentId)).toEqual([null, null]);
  });
});
