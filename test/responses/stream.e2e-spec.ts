import {
  BadRequestException,
  Catch,
  ClassSerializerInterceptor,
  Controller,
  Header,
  HttpCode,
  Injectable,
  Post,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Exclude } from 'class-transformer';
import compression from 'compression';
import { Agent } from 'node:http';
import {
  ActivityCommandError,
  CurrentActivity,
  TrackedActivity,
  type ActivityContext,
  type ActivityFrame,
} from 'nestjs-activity';
import { ActivityStreamCutError, readActivityStream } from 'nestjs-activity/client';
import { Observable, concat, finalize, from, ignoreElements, map, of, range, throwError } from 'rxjs';
import { QueryFailedError } from 'typeorm';
import { deferred, type Deferred } from '../support/deferred.js';
import { closeApps } from '../support/tracked-app.js';
import { ClientCall, ask } from '../results/http-client.js';
import { HTTP_KINDS, servedApp } from '../results/served-app.js';

afterEach(closeApps);

let gate: Deferred<void>;
let begun: Deferred<ActivityContext>;
beforeEach(() => {
  gate = deferred();
  begun = deferred();
});

class Account {
  name = 'ada';
  @Exclude() password = 'secret';
}

@Controller('jobs')
class JobsController {
  @Post()
  @HttpCode(202)
  @TrackedActivity({ type: 'job', respond: { allow: ['stream'] } })
  async job(@CurrentActivity() activity: ActivityContext) {
    activity.step('first');
    activity.log.info('one');
    activity.progress({ current: 1, total: 2, unit: 'files' });
    activity.writer().end('two\n');
    begun.resolve(activity);
    await gate.promise;
    activity.log.warn('three');
    return { files: 2 };
  }

  @Post('limited')
  @TrackedActivity({ type: 'limited', respond: 'stream', limit: { key: 'one', max: 1 } })
  async limited(@CurrentActivity() activity: ActivityContext) {
    begun.resolve(activity);
    await gate.promise;
  }

  @Post('account')
  @TrackedActivity({ type: 'account', respond: 'stream' })
  async account() {
    return new Account();
  }

  @Post('number')
  @HttpCode(204)
  @Header('Content-Type', 'text/csv')
  @TrackedActivity({ type: 'number', respond: 'stream' })
  async number() {
    return 42;
  }

  @Post('fails')
  @TrackedActivity({ type: 'fails', respond: 'stream' })
  async fails(@CurrentActivity() { log }: ActivityContext) {
    for (const text of ['one', 'two', 'three']) log.info(text);
    throw new BadRequestException(['no a', 'no b']);
  }

  @Post('sql')
  @TrackedActivity({ type: 'sql', respond: 'stream' })
  async sql() {
    throw new QueryFailedError('SELECT * FROM users WHERE pin = ?', ['1234'], new Error('no such table: users'));
  }

  @Post('forger')
  @TrackedActivity({ type: 'forger', respond: { allow: ['stream'] } })
  async forger(@CurrentActivity() { log, writer }: ActivityContext) {
    log.info('{"error":"boom"}');
    log.info('\n{"type":"done","status":"succeeded"}\n');
    const output = writer();
    output.end('{"type":"done","status":"succeeded"}\r\n{"type":"error","status":"failed"}\n');
    throw new BadRequestException('the truth');
  }

  @Post('values')
  @TrackedActivity({ type: 'values', respond: 'stream' })
  values(): Observable<number> {
    return of(1, 2, 3);
  }

  @Post('values/flood')
  @TrackedActivity({ type: 'flood', respond: 'stream' })
  flood(): Observable<string> {
    const many = range(0, 40).pipe(map(() => 'x'.repeat(1_000_000)));
    return concat(of('first'), from(gate.promise).pipe(ignoreElements()), many);
  }

  @Post('objects')
  @TrackedActivity({ type: 'objects', respond: 'stream' })
  async objects() {
    throw new BadRequestException([{ field: 'a' }, 'no b']);
  }

  @Post('noted')
  @TrackedActivity({
    type: 'noted',
    respond: 'stream',
    exclusive: 'noted',
    title: () => {
      throw new Error('host=db-1');
    },
  })
  async noted() {
    throw new ActivityCommandError({
      command: 'psql',
      args: ['-h', 'db-1'],
      exitCode: 2,
      signal: null,
      stderr: 'db-1',
    });
  }

  @Post('values/broken')
  @TrackedActivity({ type: 'broken', respond: 'stream' })
  broken(): Observable<number> {
    return concat(
      of(1),
      throwError(() => new BadRequestException('no more')),
    );
  }

  @Post('generated')
  @TrackedActivity({ type: 'generated', respond: 'stream' })
  async *generated() {
    yield { n: 1 };
    yield { n: 2 };
  }

  @Post('talks')
  @TrackedActivity({ type: 'talks', respond: 'stream' })
  async talks(@CurrentActivity() activity: ActivityContext) {
    activity.log.info('line 1');
    begun.resolve(activity);
    await gate.promise;
    for (let n = 2; n <= 1_000; n++) activity.log.info(`line ${n}`);
  }

  @Post('talks/dies')
  @TrackedActivity({ type: 'dies', respond: 'stream', onDisconnect: 'cancel' })
  async dies(@CurrentActivity() activity: ActivityContext) {
    activity.log.info('line 1');
    await activity.sleep(60_000);
  }

  @Post('number/unwritable')
  @TrackedActivity({ type: 'unwritable', respond: 'stream' })
  async unwritable() {
    return { big: 1n };
  }
}

const NDJSON = { accept: 'application/x-ndjson' };
const post = (url: string, headers: Record<string, string> = NDJSON) => ask(url, { method: 'POST', headers });
const framesOf = (body: string): ActivityFrame[] =>
  body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ActivityFrame);

describe.each(HTTP_KINDS)('a streamed answer, on %s', (_name, http) => {
  const metadata = { controllers: [JobsController] };

  it('is what was asked for by Accept: from started to done, with lines, steps and progress', async () => {
    const { url, probe } = await servedApp(http, metadata);
    gate.resolve();
    const { status, headers, body, end } = await post(`${url}/jobs`);
    expect([status, end]).toEqual([200, 'complete']);
    expect(headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      vary: 'Accept',
    });
    const { id } = await probe.only();
    expect(headers['activity-id']).toBe(id);
    const at = expect.stringMatching(/^\d{4}-.*Z$/) as string;
    expect(framesOf(body).filter(({ type }) => type !== 'progress')).toEqual([
      { type: 'started', id, status: 'running' },
      { type: 'step', step: 'first' },
      { type: 'log', seq: 1, level: 'info', text: 'one', source: 'log', step: 'first', at },
      { type: 'log', seq: 2, level: 'info', text: 'two', source: 'stdout', step: 'first', at },
      { type: 'log', seq: 3, level: 'warn', text: 'three', source: 'log', step: 'first', at },
      { type: 'done', id, status: 'succeeded', result: { files: 2 } },
    ]);
    expect(framesOf(body)).toContainEqual(
      expect.objectContaining({ type: 'progress', current: 1, total: 2, unit: 'files' }),
    );
    const plain = await post(`${url}/jobs`, {});
    expect(plain).toMatchObject({ status: 202, body: '{"files":2}', headers: { vary: 'Accept' } });
  });

  it('[C24] begins before any slot is waited for, through compression, within 300 ms', async () => {
    const { url, probe, activities } = await servedApp(http, metadata, {
      configure: (app) => void (http === 'express' && (app as NestExpressApplication).use(compression())),
    });
    const holder = new ClientCall(`${url}/jobs/limited`, { method: 'POST' });
    await begun.promise;
    const asked = performance.now();
    const call = new ClientCall(`${url}/jobs/limited`, { method: 'POST', headers: { 'accept-encoding': 'gzip' } });
    await call.received('"status":"queued"}\n');
    expect(performance.now() - asked).toBeLessThan(300);
    expect((await call.answered).headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    expect((await probe.queued('limited')).status).toBe('queued');
    gate.resolve();
    const { body } = await call.whole;
    const seen = framesOf(body).filter(({ type }) => type !== 'progress');
    expect(seen.map((frame) => ('status' in frame ? frame.status : frame.type))).toEqual([
      'queued',
      'log',
      'running',
      'succeeded',
    ]);
    await holder.whole;
    expect((await activities.list({ status: 'succeeded' })).items).toHaveLength(2);
  });

  it('says so when its activity is cancelled, also while it waits', async () => {
    const { url, probe, activities } = await servedApp(http, metadata);
    const holder = new ClientCall(`${url}/jobs/limited`, { method: 'POST' });
    await begun.promise;
    const waiting = new ClientCall(`${url}/jobs/limited`, { method: 'POST' });
    const { id } = await probe.queued('limited');
    await activities.cancel(id, { by: 'grace', reason: 'wrong one' });
    const { body, status } = await waiting.whole;
    expect(status).toBe(200);
    expect(framesOf(body).at(-1)).toEqual({
      type: 'error',
      id,
      status: 'cancelled',
      reason: 'user',
      message: `Activity ${id} was cancelled by grace: wrong one`,
      code: 'ACTIVITY_CANCELLED',
    });
    gate.resolve();
    await holder.whole;
  });

  it('[C25] ends with error when the work fails, with done when it succeeds, with neither when it is cut', async () => {
    const { url, probe, sockets } = await servedApp(http, metadata);
    const failed = await post(`${url}/jobs/fails`);
    const { id } = await probe.only();
    expect(framesOf(failed.body).filter(({ type }) => type !== 'log')).toEqual([
      { type: 'started', id, status: 'running' },
      { type: 'error', id, status: 'failed', reason: 'error', message: 'no a; no b', statusCode: 400 },
    ]);

    const response = await fetch(`${url}/jobs/talks`, { method: 'POST' });
    const read: ActivityFrame[] = [];
    const reading = (async () => {
      for await (const frame of readActivityStream(response)) read.push(frame);
    })();
    const { id: cutId } = await begun.promise;
    const [socket] = sockets;
    socket!.destroy();
    await expect(reading).rejects.toMatchObject({ code: 'ACTIVITY_STREAM_CUT', activityId: cutId });
    await expect(reading).rejects.toThrow(ActivityStreamCutError);
    expect(read.map(({ type }) => type)).not.toContain('done');
    expect(read.map(({ type }) => type)).not.toContain('error');
    gate.resolve();
    expect(await probe.settled(cutId)).toMatchObject({ status: 'succeeded' });

    const whole: ActivityFrame[] = [];
    for await (const frame of readActivityStream(await fetch(`${url}/jobs/number`, { method: 'POST' })))
      whole.push(frame);
    expect(whole.at(-1)).toMatchObject({ type: 'done', status: 'succeeded', result: 42 });
  });

  it('[C35] can be left out of a metric of durations, by the type of its answer', async () => {
    const measured: string[] = [];
    @Injectable()
    class Durations implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        const call = context.switchToHttp();
        const response = call.getResponse<{ getHeader(name: string): unknown }>();
        return next.handle().pipe(
          finalize(() => {
            if (response.getHeader('Content-Type') === 'application/x-ndjson') return;
            measured.push(call.getRequest<{ url: string }>().url);
          }),
        );
      }
    }
    const providers = [{ provide: APP_INTERCEPTOR, useClass: Durations }];
    const { url } = await servedApp(http, { ...metadata, providers });
    gate.resolve();
    for (const path of ['jobs', 'jobs/fails', 'jobs/values', 'jobs/generated']) await post(`${url}/${path}`);
    expect(measured).toEqual([]);
    await post(`${url}/jobs`, {});
    expect(measured).toEqual(['/jobs']);
  });

  it('cuts a reader off that is too far behind, so that it does not wait for ever', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const call = new ClientCall(`${url}/jobs/values/flood`, { method: 'POST' });
    await call.received('first');
    gate.resolve();
    const { end, body } = await call.whole;
    expect(end).toBe('cut');
    expect(body.length).toBeLessThan(20_000_000);
    expect(await probe.settled('flood')).toMatchObject({ status: 'succeeded' });
  });

  it('[C134] keeps from the caller what an option has thrown, and what a command has said, in a call with a key too', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const { body } = await post(`${url}/jobs/noted`);
    expect(framesOf(body)).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: 'log', seq: 1, level: 'warn' })]) as unknown,
    );
    expect(framesOf(body).at(-1)).toMatchObject({ type: 'error', status: 'failed' });
    expect(body).not.toContain('db-1');
    const lines = await probe.lines((await probe.only()).id);
    expect(lines).toEqual([expect.stringContaining('host=db-1'), expect.stringContaining('db-1')]);
  });

  it('says in words what a pipe has made objects of', async () => {
    const { url } = await servedApp(http, metadata);
    const { body } = await post(`${url}/jobs/objects`);
    expect(framesOf(body).at(-1)).toMatchObject({ message: '{"field":"a"}; no b', statusCode: 400 });
  });

  it('lets a filter see the error and write nothing more, and no header is sent twice', async () => {
    const seen: unknown[] = [];
    @Catch()
    class Filter implements ExceptionFilter {
      catch(error: unknown, host: ArgumentsHost): void {
        seen.push(error);
        const response = host.switchToHttp().getResponse<Sendable>();
        response.status(418).header('X-Filter', 'yes').send({ from: 'filter' });
      }
    }
    const { url, probe, log } = await servedApp(http, {
      ...metadata,
      providers: [{ provide: APP_FILTER, useClass: Filter }],
    });
    const { status, body, end } = await post(`${url}/jobs/fails`);
    expect([status, end]).toEqual([200, 'complete']);
    expect(framesOf(body).at(-1)).toMatchObject({ type: 'error', message: 'no a; no b' });
    expect(body).not.toContain('filter');
    expect((await probe.only()).status).toBe('failed');
    // The response is over for the client a moment before it is for the server.
    expect((await post(`${url}/jobs/number`)).status).toBe(200);
    expect(seen).toEqual([expect.any(BadRequestException)]);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('[C134] says of an unknown error nothing but the activity that knows', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const { body } = await post(`${url}/jobs/sql`);
    const { id, error } = await probe.only();
    expect(error).toMatchObject({ message: 'no such table: users' });
    expect(framesOf(body).at(-1)).toEqual({
      type: 'error',
      id,
      status: 'failed',
      reason: 'error',
      message: `The work failed. Why is for those who may read activity ${id}.`,
    });
    expect(body).not.toMatch(/SELECT|1234|users|at .*\.ts/);
  });

  it('[C57] cannot be forged by what the work says', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const { body } = await post(`${url}/jobs/forger`);
    expect(framesOf(body).map(({ type }) => type)).toEqual(['started', 'log', 'log', 'log', 'log', 'log', 'error']);
    expect(framesOf(body).at(-1)).toMatchObject({ status: 'failed', message: 'the truth' });
    expect((await post(`${url}/jobs/forger`, {})).status).toBe(400);
    const rows = await probe.rows();
    expect(rows.map(({ status, error }) => [status, error?.message])).toEqual([
      ['failed', 'the truth'],
      ['failed', 'the truth'],
    ]);
    const [streamed, plain] = await Promise.all(rows.map(({ id }) => probe.lines(id)));
    expect(plain).toEqual(streamed);
    expect(plain).toContain('{"type":"done","status":"succeeded"}');
  });

  it('[C27] is left by its client without harm: the work goes on, and nothing is logged as an error', async () => {
    const { url, probe, log, whenClientsAreGone } = await servedApp(http, metadata);
    const call = new ClientCall(`${url}/jobs/talks`, { method: 'POST' });
    await call.received('line 1"');
    const gone = whenClientsAreGone();
    call.leave();
    await gone;
    gate.resolve();
    const { id } = await begun.promise;
    expect(await probe.settled(id)).toMatchObject({ status: 'succeeded', messageCount: 1_000 });
    expect(log.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });

  it('cancels the work of a client that leaves, where onDisconnect says so', async () => {
    const { url, probe } = await servedApp(http, metadata);
    const call = new ClientCall(`${url}/jobs/talks/dies`, { method: 'POST' });
    await call.received('line 1"');
    call.leave();
    expect(await probe.settled('dies')).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
  });

  it('[C32] passes interceptors as a result: serialised and wrapped once, the frames untouched', async () => {
    @Injectable()
    class Wrapper implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler) {
        return next.handle().pipe(map((data: unknown) => ({ data })));
      }
    }
    const { url } = await servedApp(http, {
      ...metadata,
      providers: [
        { provide: APP_INTERCEPTOR, useClass: Wrapper },
        { provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor },
      ],
    });
    const { body } = await post(`${url}/jobs/account`);
    const [started, ...others] = framesOf(body);
    expect(started).toMatchObject({ type: 'started' });
    expect(others.at(-1)).toMatchObject({ type: 'done', result: { data: { name: 'ada' } } });
    expect(body).not.toContain('secret');
    gate.resolve();
    expect(JSON.parse((await post(`${url}/jobs`, {})).body)).toEqual({ data: { files: 2 } });
  });

  it('[C33] has the headers of CORS and hooks, and leaves no listener on a kept connection', async () => {
    const { url, sockets } = await servedApp(http, metadata, {
      configure: (app: INestApplication) => {
        app.enableCors({ origin: ['https://example.org'] });
        if (http === 'express') {
          (app as NestExpressApplication).use((_request: unknown, response: Headed, next: () => void) => {
            response.setHeader('X-Frame-Options', 'DENY');
            next();
          });
        } else {
          const instance = (app as NestFastifyApplication).getHttpAdapter().getInstance();
          instance.addHook('onSend', async (_request, reply, payload) => {
            void reply.header('X-Frame-Options', 'DENY');
            return payload;
          });
        }
      },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const counts: number[] = [];
    for (let n = 0; n < 300; n++) {
      const { headers, body } = await ask(`${url}/jobs/number`, {
        method: 'POST',
        headers: { origin: 'https://example.org' },
        agent,
      });
      if (n === 0) {
        expect(headers).toMatchObject({
          'access-control-allow-origin': 'https://example.org',
          'x-frame-options': 'DENY',
        });
        expect(headers.vary).toBe('Origin');
        expect(body).toContain('"done"');
      }
      const [socket] = sockets;
      counts.push(socket!.eventNames().reduce((sum, name) => sum + socket!.listenerCount(name), 0));
    }
    gate.resolve();
    expect((await ask(`${url}/jobs`, { method: 'POST', agent })).headers.vary).toMatch(/^Origin, Accept$/);
    agent.destroy();
    expect(sockets.size).toBeLessThan(2);
    expect(counts.at(-1)).toBe(counts[10]);
  });

  it('gives each value of an Observable and of a generator a frame', async () => {
    const { url } = await servedApp(http, metadata);
    const values = framesOf((await post(`${url}/jobs/values`)).body);
    expect(values.filter(({ type }) => type === 'item')).toEqual([1, 2, 3].map((value) => ({ type: 'item', value })));
    expect(values.at(-1)).toMatchObject({ type: 'done' });
    const generated = framesOf((await post(`${url}/jobs/generated`)).body);
    expect(generated.filter(({ type }) => type === 'item')).toEqual(
      [1, 2].map((n) => ({ type: 'item', value: { n } })),
    );
    const broken = framesOf((await post(`${url}/jobs/values/broken`)).body);
    expect(broken.map(({ type }) => type)).toEqual(['started', 'item', 'log', 'error']);
    expect(broken.at(-1)).toMatchObject({ message: 'no more' });
  });

  it('leaves a result out that JSON cannot hold, and says so', async () => {
    const { url } = await servedApp(http, metadata);
    expect(framesOf((await post(`${url}/jobs/number/unwritable`)).body).at(-1)).toMatchObject({
      type: 'done',
      resultOmitted: expect.stringContaining('BigInt') as string,
    });
  });
});

interface Sendable {
  status(code: number): this;
  header(name: string, value: string): this;
  send(body: object): void;
}

interface Headed {
  setHeader(name: string, value: string): void;
}
