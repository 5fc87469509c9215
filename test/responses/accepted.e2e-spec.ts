import {
  Body,
  ConflictException,
  Controller,
  Get,
  Header,
  HttpCode,
  Injectable,
  ParseIntPipe,
  Post,
  Query,
  Redirect,
  Res,
  Sse,
  VersioningType,
  type CallHandler,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { CurrentActivity, TrackedActivity, type ActivityContext, type TrackedActivityOptions } from 'nestjs-activity';
import { ActivityAdminModule } from 'nestjs-activity/admin';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { NEVER, Observable, map, of, throwError, timer } from 'rxjs';
import { deferred, type Deferred } from '../support/deferred.js';
import { closeApps } from '../support/tracked-app.js';
import { ask, ClientCall } from '../results/http-client.js';
import { HTTP_KINDS, servedApp } from '../results/served-app.js';

afterEach(closeApps);

const admin = ActivityAdminModule.forRoot({ public: true });
let gate: Deferred<unknown>;
beforeEach(() => (gate = deferred<unknown>()));

@Controller('reports')
class ReportsController {
  @Post()
  @HttpCode(200)
  @Header('Content-Type', 'text/csv')
  @Header('Cache-Control', 'public, max-age=3600')
  @TrackedActivity({ type: 'report', keepResult: true, respond: { allow: ['accepted'], maxWait: '30s' } })
  async build(@Query('pages', ParseIntPipe) pages: number, @CurrentActivity() activity: ActivityContext) {
    activity.log.info('begun');
    return `${pages},${String(await gate.promise)}`;
  }

  @Post('always')
  @TrackedActivity({ type: 'always', keepResult: true, respond: 'accepted' })
  async always(@Body() body: { n: number }) {
    await gate.promise;
    return { n: body.n };
  }

  @Post('attended')
  @TrackedActivity({ type: 'attended', onDisconnect: 'cancel', respond: { allow: ['accepted'] } })
  async attended(@CurrentActivity() { throwIfCancelled }: ActivityContext) {
    await gate.promise;
    throwIfCancelled();
  }

  @Post('values')
  @TrackedActivity({ type: 'values', keepResult: true, respond: 'accepted' })
  values(): Observable<number> {
    return of(1, 2, 3);
  }

  @Post('generated')
  @TrackedActivity({ type: 'generated', respond: 'accepted' })
  async *generated() {
    yield 1;
    yield 2;
  }

  @Post('endless')
  @TrackedActivity({ type: 'endless', respond: 'accepted' })
  endless(): Observable<never> {
    return NEVER;
  }
}

const post = (url: string, headers: Record<string, string> = {}, body?: object) =>
  ask(url, {
    method: 'POST',
    headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });

describe.each(HTTP_KINDS)('[F63] an answer that does not wait, on %s', (_name, http) => {
  const metadata = { imports: [admin], controllers: [ReportsController] };

  it('is 202 with the place to look, on Prefer: respond-async, and the work goes on', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const { status, headers, body } = await post(`${url}/reports?pages=3`, { prefer: 'respond-async' });
    const activity = JSON.parse(body) as { id: string };
    expect(status).toBe(202);
    expect(headers).toMatchObject({
      location: `/admin/activities/${activity.id}`,
      'operation-location': `${url}/admin/activities/${activity.id}`,
      'preference-applied': 'respond-async',
      'activity-id': activity.id,
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'retry-after': '1',
      vary: 'Prefer',
    });
    const shown = await ask(headers['operation-location'] as string);
    const { usual: _usual, ...rest } = JSON.parse(shown.body) as Record<string, unknown>;
    expect(Object.keys(activity).toSorted()).toEqual(Object.keys(rest).toSorted());
    expect(activity).toMatchObject({ type: 'report', status: 'running', origin: { kind: 'http' } });
    gate.resolve('yes');
    expect(await probe.settled(activity.id)).toMatchObject({ status: 'succeeded', result: '3,yes' });
  });

  it('is the result without the wish, with the code and headers of the handler', async () => {
    const { url } = await servedApp(http, metadata);
    gate.resolve('yes');
    const { status, headers, body } = await post(`${url}/reports?pages=3`);
    expect([status, body]).toEqual([200, '3,yes']);
    expect(headers).toMatchObject({ 'content-type': expect.stringMatching(/^text\/csv/), vary: 'Prefer' });
    expect(headers).not.toHaveProperty('preference-applied');
    expect(headers).not.toHaveProperty('location');
  });

  it('waits as long as Prefer: wait=N says, for the result or error itself', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const call = post(`${url}/reports?pages=3`, { prefer: 'wait=20' });
    await probe.started('report');
    gate.resolve('yes');
    expect(await call).toMatchObject({ status: 200, body: '3,yes', headers: { 'preference-applied': 'wait=20' } });
    gate = deferred();
    gate.promise.catch(() => undefined);
    gate.reject(new ConflictException('no paper'));
    const failed = await post(`${url}/reports?pages=3`, { prefer: 'respond-async, wait=20' });
    expect(failed.status).toBe(409);
    expect(failed.body).toContain('no paper');
    const late = await post(`${url}/reports?pages=3`, { prefer: 'respond-async, wait=0' });
    expect(late).toMatchObject({ status: 202, headers: { 'preference-applied': 'respond-async, wait=0' } });
  });

  it('with onDisconnect: cancel stops for a client that leaves before the 202, and not for one that has it', async () => {
    const { url, probe, whenClientsAreGone } = await servedApp(http, metadata);
    const { status, headers } = await post(`${url}/reports/attended`, { prefer: 'respond-async' });
    expect(status).toBe(202);
    const gone = whenClientsAreGone();
    const waiting = new ClientCall(`${url}/reports/attended`, { method: 'POST', headers: { prefer: 'wait=20' } });
    await probe.times('started', 2);
    waiting.leave();
    await gone;
    const left = (await probe.cancelling('attended')).id;
    expect(left).not.toBe(headers['activity-id']);
    gate.resolve('yes');
    expect(await probe.settled(left)).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    expect(await probe.settled(headers['activity-id'] as string)).toMatchObject({ status: 'succeeded' });
  });

  it('answers 202 when the time of wait=N is over', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const { status, body, headers } = await post(`${url}/reports?pages=3`, { prefer: 'wait=1' });
    expect([status, headers['preference-applied']]).toEqual([202, 'wait=1']);
    gate.resolve('yes');
    expect(await probe.settled((JSON.parse(body) as { id: string }).id)).toMatchObject({ status: 'succeeded' });
  });

  it('tells an error before the start at once, and leaves no row', async () => {
    const { url, probe } = await servedApp(http, metadata);
    expect((await post(`${url}/reports?pages=x`, { prefer: 'respond-async' })).status).toBe(400);
    expect(await probe.rows()).toEqual([]);
  });

  it('keeps a later error on the row alone', async () => {
    const { url, probe, log } = await servedApp(http, metadata);
    const { status, body } = await post(`${url}/reports/always`, {}, { n: 1 });
    expect(status).toBe(202);
    gate.reject(new Error('no ink'));
    expect(await probe.settled((JSON.parse(body) as { id: string }).id)).toMatchObject({
      status: 'failed',
      error: { message: 'no ink' },
    });
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('follows an Observable and a generator to their ends, and a cancel ends one that has none', async () => {
    const { url, probe, activities } = await servedApp(http, metadata);
    for (const [path, result] of [
      ['values', 3],
      ['generated', undefined],
    ] as const) {
      const { body } = await post(`${url}/reports/${path}`);
      expect(await probe.settled((JSON.parse(body) as { id: string }).id)).toMatchObject({
        status: 'succeeded',
        ...(result === undefined ? {} : { result }),
      });
    }
    const { id } = JSON.parse((await post(`${url}/reports/endless`)).body) as { id: string };
    await activities.cancel(id);
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('ends as interrupted when the application stops', async () => {
    const { url, app, activities } = await servedApp(http, metadata);
    const { id } = JSON.parse((await post(`${url}/reports/endless`)).body) as { id: string };
    const ends: unknown[] = [];
    activities.on(({ name, activity }) => {
      if (name === 'settled') ends.push([activity.id, activity.status, activity.reason]);
    });
    await app.close();
    expect(ends).toEqual([[id, 'interrupted', 'shutdown']]);
  });

  it('points below a prefix and past a version, and trusts the proxy as far as the app does', async () => {
    const { url } = await servedApp(http, metadata, {
      configure: (app: INestApplication) => {
        if (http === 'express') (app as NestExpressApplication).set('trust proxy', 'loopback');
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '2' });
      },
    });
    const { headers } = await post(`${url}/api/v2/reports/always`, { 'x-forwarded-proto': 'https' }, { n: 1 });
    expect(headers.location).toMatch(/^\/api\/admin\/activities\/[\da-f-]{36}$/);
    const origin = http === 'express' ? url.replace('http:', 'https:') : url;
    expect(headers['operation-location']).toBe(origin + headers.location!);
    gate.resolve(undefined);
    expect((await ask(url + headers.location!)).status).toBe(200);
  });

  it('passes the interceptors around it, as any answer does', async () => {
    @Injectable()
    class Wrapper implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler) {
        return next.handle().pipe(map((data: unknown) => ({ data })));
      }
    }
    const { url } = await servedApp(http, {
      ...metadata,
      providers: [{ provide: APP_INTERCEPTOR, useClass: Wrapper }],
    });
    const { status, body } = await post(`${url}/reports/always`, {}, { n: 1 });
    expect(status).toBe(202);
    expect(JSON.parse(body)).toEqual({ data: expect.objectContaining({ type: 'always', status: 'running' }) });
    gate.resolve(undefined);
  });

  it('has no Location where nothing shows an activity, and a warning at start says what to add', async () => {
    const { url, log } = await servedApp(http, { controllers: [ReportsController] });
    const { status, headers } = await post(`${url}/reports/always`, {}, { n: 1 });
    expect([status, headers.location, headers['operation-location']]).toEqual([202, undefined, undefined]);
    expect(log.warnings('ReportsController.always')).toEqual([expect.stringContaining('statusRoute')]);
    gate.resolve(undefined);
  });
});

describe('the option `respond`', () => {
  const decorate = (option: unknown) => () => {
    class Odd {
      @TrackedActivity({ respond: option } as TrackedActivityOptions)
      async method() {}
    }
    return Odd;
  };

  it.each<[unknown, string]>([
    [
      'async',
      "`respond` is \"async\": it must be one of 'result', 'accepted', 'stream', or { default?, allow?, maxWait? }",
    ],
    [{ default: 'later' }, "`respond.default` is \"later\": it must be one of 'result', 'accepted', 'stream'"],
    [{ allow: 'stream' }, '`respond.allow` is "stream": it must be a list'],
    [{ allow: ['stream', 'sse'] }, '`respond.allow.1` is "sse"'],
    [{ maxWait: -1 }, '`respond.maxWait` is -1'],
    [{ alow: [] }, 'unknown option `respond.alow`'],
  ])('%j is refused when the class is defined', (option, text) => {
    expect(decorate(option)).toThrow(text);
  });

  it.each<[string, MethodDecorator | ParameterDecorator]>([
    ['@Sse()', Sse('x')],
    ['@Redirect()', Redirect('/elsewhere')],
  ])('is refused at start beside %s', async (name, decorator) => {
    @Controller()
    class Odd {
      @(decorator as MethodDecorator)
      @Get('x')
      @TrackedActivity({ respond: 'accepted' })
      odd(): Observable<unknown> {
        return timer(1);
      }
    }
    await expect(servedApp('express', { controllers: [Odd] })).rejects.toThrow(
      `@TrackedActivity on Odd.odd: \`respond\` cannot be heeded, since the handler answers by ${name}`,
    );
  });

  it('is refused at start beside @Res(), also with passthrough', async () => {
    @Controller()
    class Odd {
      @Get('x')
      @TrackedActivity({ respond: { allow: ['stream'] } })
      async odd(@Res({ passthrough: true }) response: unknown) {
        return response;
      }
    }
    await expect(servedApp('express', { controllers: [Odd] })).rejects.toThrow('answers by @Res() or @Next()');
  });

  it('changes nothing for calls that do not come over HTTP', async () => {
    @Injectable()
    class Service {
      @TrackedActivity({ respond: 'accepted' })
      async work() {
        return 42;
      }
      @TrackedActivity({ respond: 'stream' })
      values(): Observable<number> {
        return throwError(() => new Error('as ever'));
      }
    }
    const { get } = await servedApp('express', { providers: [Service] });
    expect(await get(Service).work()).toBe(42);
    let told: unknown;
    await new Promise<void>((resolve) =>
      get(Service)
        .values()
        .subscribe({ error: (error) => resolve((told = error)) }),
    );
    expect(told).toMatchObject({ message: 'as ever' });
  });
});
