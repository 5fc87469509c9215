import {
  Catch,
  Controller,
  Get,
  Injectable,
  Param,
  Post,
  UseGuards,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  ActivityService,
  CurrentActivity,
  TrackedActivity,
  currentActivity,
  type ActivityContext,
} from 'nestjs-activity';
import { ActivityExceptionFilter } from 'nestjs-activity/admin';
import { tap, type Observable } from 'rxjs';
import supertest from 'supertest';
import { closeApps, trackedApp, type HttpKind } from '../support/tracked-app.js';
import { usersOfRequests } from './known-users.js';

afterEach(closeApps);

@Injectable()
class Reports {
  constructor(private readonly activities: ActivityService) {}

  @TrackedActivity({ type: 'report', resource: ({ request }) => ({ type: 'agent', id: agentOf(request) }) })
  async build(): Promise<string> {
    return this.activities.run({ type: 'report.part' }, ({ id }) => id);
  }
}

@Controller('reports')
@UseGuards(usersOfRequests)
class ReportsController {
  constructor(
    private readonly reports: Reports,
    private readonly activities: ActivityService,
  ) {}

  @Post('tracked/:name')
  @TrackedActivity({ type: 'tracked' })
  async tracked(@Param('name') name: string, @CurrentActivity() activity: ActivityContext) {
    if (name === 'bad') throw new RangeError('no such report');
    if (name === 'long') await activity.sleep(60_000);
    return { name };
  }

  /** Not tracked itself. */
  @Get('service')
  service() {
    return this.reports.build();
  }

  @Get('run')
  run() {
    return this.activities.run({ type: 'run' }, ({ id }) => id);
  }

  @Get('run-as-nobody')
  runAsNobody() {
    return this.activities.run({ type: 'run', actor: null, batchId: null }, ({ id }) => id);
  }

  @Get('start')
  async start() {
    const handle = await this.activities.start({ type: 'start' });
    const { id, done } = await this.activities.runInBackground({ type: 'background' }, () => 'done');
    await done;
    await handle.succeed();
    return id;
  }
}

function agentOf(request: unknown): string {
  return (request as { headers: Record<string, string> }).headers['user-agent']!;
}

/** Whoever stands around a handler, and whether there was an activity for it. */
const seen: [who: string, tracked: boolean][] = [];
const look = (who: string): void => void seen.push([who, currentActivity().tracked]);

@Catch(RangeError)
class LookingFilter implements ExceptionFilter {
  catch(error: RangeError): never {
    look('filter');
    throw error;
  }
}

class LookingGuard implements CanActivate {
  canActivate(): boolean {
    look('guard');
    return true;
  }
}

class LookingInterceptor implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler): Observable<unknown> {
    look('interceptor before');
    return next.handle().pipe(tap({ error: () => look('interceptor after') }));
  }
}

describe.each<HttpKind>(['express', 'fastify'])('over HTTP, with %s', (http) => {
  const module = { controllers: [ReportsController], providers: [Reports] };

  it('a handler is one activity, with its route, its request and the user that a guard has left', async () => {
    const { app, probe } = await trackedApp(module, { http });
    const client = supertest(app.getHttpServer());
    await client.post('/reports/tracked/a').set('x-user', 'mallory').expect(403);
    expect(await probe.rows()).toEqual([]);

    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const answer = await client
      .post('/reports/tracked/a')
      .set({ 'x-user': 'ada', 'x-request-id': 'r-1', traceparent })
      .expect(201);
    expect(answer.body).toEqual({ name: 'a' });
    expect(await probe.only()).toMatchObject({
      type: 'tracked',
      status: 'succeeded',
      actor: { id: 'ada' },
      origin: { kind: 'http', label: 'POST /reports/tracked/:name', requestId: 'r-1', traceparent },
    });
  });

  it('the module finds the actor in its own way: it is given the context, the request and the arguments', async () => {
    const calls: unknown[] = [];
    const { app, probe } = await trackedApp(module, {
      http,
      activity: {
        actor: ({ context, request, args, className, methodName }) => {
          calls.push([context?.getType(), args.slice(0, 1), className, methodName]);
          return `agent ${agentOf(request)}`;
        },
      },
    });
    const client = supertest(app.getHttpServer());
    await client.post('/reports/tracked/a').set({ 'user-agent': 'seven', 'x-user': 'ada' });
    await client.get('/reports/run').set({ 'user-agent': 'eight' });
    expect((await probe.rows()).map(({ actor }) => actor?.id)).toEqual(['agent seven', 'agent eight']);
    expect(calls).toEqual([
      ['http', ['a'], 'ReportsController', 'tracked'],
      ['http', [], 'ReportsController', 'run'],
    ]);
  });

  it("an error is the caller's as without tracking, and guards, interceptors and filters see no activity", async () => {
    seen.length = 0;
    const { app, probe } = await trackedApp(
      { ...module, providers: [Reports, { provide: APP_FILTER, useClass: LookingFilter }] },
      {
        http,
        configure: (application) => {
          application.useGlobalGuards(new LookingGuard());
          application.useGlobalInterceptors(new LookingInterceptor());
        },
      },
    );
    await supertest(app.getHttpServer()).post('/reports/tracked/bad').expect(500);
    expect(Object.fromEntries(seen)).toEqual({
      guard: false,
      'interceptor before': false,
      'interceptor after': false,
      filter: false,
    });
    expect(await probe.only()).toMatchObject({ status: 'failed', reason: 'error', error: { name: 'RangeError' } });
  });

  it('a cancel in mid-run aborts the signal, and the caller is told with 409', async () => {
    const { app, probe, activities } = await trackedApp(
      { ...module, providers: [Reports, { provide: APP_FILTER, useClass: ActivityExceptionFilter }] },
      { http },
    );
    const answer = supertest(app.getHttpServer())
      .post('/reports/tracked/long')
      .then((response) => response);
    const { id } = await probe.started('tracked');
    await activities.cancel(id, { by: 'grace', reason: 'not needed' });
    const { status, body } = await answer;
    expect([status, body]).toMatchObject([
      409,
      { code: 'ACTIVITY_CANCELLED', detail: expect.stringContaining('cancelled by grace: not needed') as string },
    ]);
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user', cancel: { by: { id: 'grace' } } });
  });

  it('[F91] a service or `run()` in a handler that is not tracked has the actor, origin and batch of the request', async () => {
    const { app, probe } = await trackedApp(module, { http });
    const client = supertest(app.getHttpServer());
    const headers = { 'x-user': 'ada', 'x-request-id': 'r-2', 'activity-batch-id': 'b-1', 'user-agent': 'test' };
    await client.get('/reports/service').set(headers).expect(200);
    await client.get('/reports/run').set(headers).expect(200);
    await client.get('/reports/start').set(headers).expect(200);
    const rows = await probe.rows();
    expect(rows.map(({ type, origin }) => [type, origin.label])).toEqual([
      ['report', 'GET /reports/service'],
      ['report.part', 'GET /reports/service'],
      ['run', 'GET /reports/run'],
      ['start', 'GET /reports/start'],
      ['background', 'GET /reports/start'],
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({
        actor: { id: 'ada' },
        batchId: 'b-1',
        origin: { kind: 'http', requestId: 'r-2' },
      });
    }
    expect(rows[0]).toMatchObject({ resource: { type: 'agent', id: 'test' } });
    expect(rows[1]!.parentId).toBe(rows[0]!.id);
  });

  it('what is said of `run()` itself stands, and a bad batch in the header is nothing to a handler that is not tracked', async () => {
    const { app, probe } = await trackedApp(module, { http });
    const client = supertest(app.getHttpServer());
    await client.get('/reports/run-as-nobody').set({ 'x-user': 'ada', 'activity-batch-id': 'a b' }).expect(200);
    expect(await probe.only()).toMatchObject({ actor: null, batchId: null, origin: { kind: 'http' } });
  });
});
