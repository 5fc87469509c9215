import { Agent, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import {
  BadRequestException,
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Res,
  Sse,
  StreamableFile,
  type ArgumentsHost,
  type ExceptionFilter,
  type INestApplication,
} from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { CurrentActivity, TrackedActivity, currentActivity, type ActivityContext } from 'nestjs-activity';
import { Observable, of } from 'rxjs';
import { closeApps, type HttpKind } from '../support/tracked-app.js';
import { ask, ClientCall } from './http-client.js';
import { Stage } from './scene.js';
import { HTTP_KINDS, servedApp } from './served-app.js';

afterEach(closeApps);

type AnyResponse = ServerResponse & { raw?: ServerResponse };

@Controller()
class Handlers {
  constructor(@Inject(Stage) private readonly stage: Stage) {}

  @Get('ten-chunks')
  @TrackedActivity({ type: 'ten-chunks' })
  tenChunks(@Res() response: AnyResponse): void {
    const raw = response.raw ?? response;
    const { scene } = this.stage;
    scene.run();
    void (async () => {
      for (let n = 0; n < 10; n++) {
        raw.write(`${n} `);
        if (n === 4) await scene.pause();
      }
      raw.end();
    })();
  }

  @Get('forgetful')
  @TrackedActivity({ type: 'forgetful' })
  forgetful(@Res() response: AnyResponse): void {
    (response.raw ?? response).write('one ');
  }

  @Get('forgetful-for-a-time')
  @TrackedActivity({ type: 'forgetful-for-a-time', timeout: 50 })
  forgetfulForATime(@Res() _response: AnyResponse): void {}

  @Get('writes-on')
  @TrackedActivity({ type: 'writes-on' })
  async writesOn(@Res() response: AnyResponse, @CurrentActivity() activity: ActivityContext) {
    const raw = response.raw ?? response;
    raw.write('line 1\n');
    await this.stage.scene.pause();
    for (let n = 1; n <= 1_000; n++) {
      activity.log.info(`line ${n}`);
      raw.write(`line ${n}\n`);
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    raw.end();
  }

  @Get('lines')
  @TrackedActivity({ type: 'lines' })
  async lines() {
    return new StreamableFile(Readable.from(['one\n', 'two\n']), { type: 'application/x-ndjson' });
  }

  @Get('fails-after-a-line')
  @TrackedActivity({ type: 'fails-after-a-line' })
  async failsAfterALine() {
    const { scene } = this.stage;
    async function* lines() {
      yield 'one\n';
      await scene.pause();
      throw new BadRequestException('two');
    }
    return new StreamableFile(Readable.from(lines()));
  }

  @Get('parked')
  @TrackedActivity({ type: 'parked', cancelGrace: 50 })
  async parked() {
    const { scene } = this.stage;
    async function* lines() {
      scene.run();
      currentActivity().log.info('begun');
      yield 'one\n';
      await scene.pause();
    }
    return new StreamableFile(Readable.from(lines()));
  }

  @Sse('events')
  @TrackedActivity({ type: 'events' })
  events(): Observable<string> {
    return of('one', 'two');
  }
}

@Catch()
@Injectable()
class SetsAStatus implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}
  catch(error: Error, host: ArgumentsHost): void {
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { filtered: error.message }, 418);
  }
}

describe.each(HTTP_KINDS)('an answer on %s', (_name, http) => {
  const serve = async (configure?: (app: INestApplication) => void, filter = false) => {
    const providers = filter ? [Stage, { provide: APP_FILTER, useClass: SetsAStatus }] : [Stage];
    const served = await servedApp(http, { controllers: [Handlers], providers }, { configure });
    return { ...served, stage: served.get(Stage) };
  };

  it('[C29] that the handler goes on writing after its return is running until its end, and is sent once', async () => {
    const { url, probe, stage } = await serve();
    const scene = stage.begin('well');
    const call = new ClientCall(`${url}/ten-chunks`);
    await call.received('0 1 2 3 4 ');
    const { id } = await probe.started('ten-chunks');
    expect(await probe.row(id)).toMatchObject({ status: 'running' });
    scene.goOn.resolve();
    expect(await call.whole).toMatchObject({ status: 200, body: '0 1 2 3 4 5 6 7 8 9 ', end: 'complete' });
    expect(await probe.settled(id)).toMatchObject({ status: 'succeeded' });
    expect(scene.runs).toBe(1);
  });

  it('[C29] that the handler forgets to end ends with its deadline, a cancel, or its client', async () => {
    const { url, probe, activities } = await serve();
    await expect(ask(`${url}/forgetful-for-a-time`)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await probe.settled('forgetful-for-a-time')).toMatchObject({ status: 'failed', reason: 'deadline' });
    const calls = [new ClientCall(`${url}/forgetful`), new ClientCall(`${url}/forgetful`)];
    const heads = await Promise.all(calls.map((call) => call.answered));
    const [cancelled, left] = heads.map(({ headers }) => headers['activity-id'] as string);
    await activities.cancel(cancelled!);
    expect(await calls[0]!.whole).toMatchObject({ body: 'one ', end: 'cut' });
    calls[1]!.leave();
    expect(await probe.settled(cancelled!)).toMatchObject({ status: 'cancelled', reason: 'user' });
    expect(await probe.settled(left!)).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
  });

  it('[C27] whose client is gone is written on without harm: all lines are in the log, none of them an error', async () => {
    const { url, probe, stage, activities, log, whenClientsAreGone } = await serve();
    const scene = stage.begin('left');
    const call = new ClientCall(`${url}/writes-on`);
    await call.received('line 1\n');
    await scene.half.promise;
    const gone = whenClientsAreGone();
    call.leave();
    await gone;
    scene.goOn.resolve();
    const { id, ...row } = await probe.settled('writes-on');
    expect(row).toMatchObject({ status: 'succeeded', reason: null, errorCount: 0 });
    const lines = await activities.messages(id, { after: 1, limit: 1_000 });
    expect(lines.map(({ text }) => text)).toEqual(Array.from({ length: 1_000 }, (_, n) => `line ${n + 1}`));
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    await ask(`${url}/lines`);
  });

  it('[C26] that fails after its first byte is cut: the filter is not asked, and sets no status too late', async () => {
    const { url, probe, stage } = await serve(undefined, true);
    const scene = stage.begin('throws');
    const call = new ClientCall(`${url}/fails-after-a-line`);
    await call.received('one\n');
    scene.goOn.resolve();
    expect(await call.whole).toMatchObject({ status: 200, body: 'one\n', end: 'cut' });
    expect(await probe.settled('fails-after-a-line')).toMatchObject({ status: 'failed', reason: 'error' });
    expect(await ask(`${url}/lines`)).toMatchObject({ status: 200, body: 'one\ntwo\n' });
  });

  it('[C30] whose generator waits for ever when the client leaves ends within the grace', async () => {
    const { url, probe, stage } = await serve();
    const scene = stage.begin('left');
    const call = new ClientCall(`${url}/parked`);
    await call.received('one\n');
    await scene.half.promise;
    const left = Date.now();
    call.leave();
    const row = await probe.settled('parked');
    expect(row).toMatchObject({ status: 'cancelled', reason: 'forced' });
    expect(row.endedAt!.getTime() - left).toBeLessThan(1_000);
    expect(await probe.lines(row.id)).toContain('begun');
    scene.goOn.resolve();
  });

  it('whose generator ignores a cancel is cut after the grace', async () => {
    const { url, probe, stage, activities } = await serve();
    const scene = stage.begin('cancelled');
    const call = new ClientCall(`${url}/parked`);
    await call.received('one\n');
    await scene.half.promise;
    const { id } = await probe.started('parked');
    await activities.cancel(id);
    expect(await call.whole).toMatchObject({ body: 'one\n', end: 'cut' });
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'forced' });
    scene.goOn.resolve();
  });

  it('to a HEAD request has the head alone; the file behind it is closed, and has succeeded', async () => {
    const { url, probe } = await serve();
    expect(await ask(`${url}/lines`, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    expect(await probe.settled('lines')).toMatchObject({ status: 'succeeded' });
  });

  it('[C33] keeps the headers of CORS and of hooks, and 300 on one connection leave no listener behind', async () => {
    const { url, probe, sockets } = await serve((app) => {
      app.enableCors({ origin: 'https://app.example', exposedHeaders: ['Activity-Id'] });
      setHeaderOnEach(app, http);
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const counts = new Set<number>();
    for (let n = 0; n < 150; n++) {
      for (const path of ['lines', 'events']) {
        const { headers, status } = await ask(`${url}/${path}`, { agent, headers: { origin: 'https://app.example' } });
        expect(status).toBe(200);
        expect(headers).toMatchObject({
          'access-control-allow-origin': 'https://app.example',
          'access-control-expose-headers': 'Activity-Id',
          'x-frame-options': 'DENY',
          'activity-id': expect.any(String) as string,
        });
      }
      if (n === 0) continue;
      // One connection for all: where events close theirs, the server sees another.
      for (const socket of sockets) counts.add(listenersOf(socket));
    }
    await probe.times('settled', 300);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    agent.destroy();
  });
});

function listenersOf(emitter: { eventNames(): (string | symbol)[]; listenerCount(name: string | symbol): number }) {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}

/** As helmet and its kind do: before the answer is made. */
function setHeaderOnEach(app: INestApplication, http: HttpKind): void {
  if (http === 'fastify') {
    const fastify = (app as NestFastifyApplication).getHttpAdapter().getInstance();
    fastify.addHook('onRequest', (_request, reply, done) => {
      void reply.header('x-frame-options', 'DENY');
      done();
    });
    return;
  }
  app.use((_request: unknown, response: ServerResponse, next: () => void) => {
    response.setHeader('x-frame-options', 'DENY');
    next();
  });
}
