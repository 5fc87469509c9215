import { Agent } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import {
  Body,
  Controller,
  Get,
  Injectable,
  Post,
  UseGuards,
  type CanActivate,
  type INestApplication,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { CurrentActivity, TrackedActivity, type ActivityContext } from 'nestjs-activity';
import { deferred, type Deferred } from '../support/deferred.js';
import { closeApps } from '../support/tracked-app.js';
import { ask, ClientCall, type CallOptions } from './http-client.js';
import { HTTP_KINDS, servedApp } from './served-app.js';

afterEach(closeApps);

/** The work of the handlers: begins, and ends when the test says so or its signal aborts. */
@Injectable()
class Work {
  begun: Deferred<string> = deferred<string>();
  end: Deferred<void> = deferred();

  async run(activity: ActivityContext): Promise<string> {
    this.begun.resolve(activity.id);
    const aborted = new Promise<never>((_resolve, reject) =>
      activity.signal.addEventListener('abort', () => reject(activity.signal.reason as Error)),
    );
    await Promise.race([this.end.promise, aborted]);
    return activity.id;
  }
}

/** Lets nobody through before the test says so. */
@Injectable()
class Turnstile implements CanActivate {
  readonly reached = deferred();
  readonly open = deferred();

  async canActivate(): Promise<boolean> {
    this.reached.resolve();
    await this.open.promise;
    return true;
  }
}

@Controller()
class Handlers {
  constructor(private readonly work: Work) {}

  @Get('detached')
  @TrackedActivity({ type: 'detached' })
  async detached(@CurrentActivity() activity: ActivityContext) {
    return { id: await this.work.run(activity) };
  }

  @Get('attached')
  @TrackedActivity({ type: 'attached', onDisconnect: 'cancel' })
  async attached(@CurrentActivity() activity: ActivityContext) {
    return { id: await this.work.run(activity) };
  }

  @Post('attached')
  @TrackedActivity({ type: 'attached', onDisconnect: 'cancel' })
  async attachedWithBody(@Body() body: { n: number } | undefined, @CurrentActivity() activity: ActivityContext) {
    return { id: await this.work.run(activity), n: body?.n };
  }

  @Get('guarded')
  @UseGuards(Turnstile)
  @TrackedActivity({ type: 'guarded', onDisconnect: 'cancel' })
  async guarded(@CurrentActivity() activity: ActivityContext) {
    return { id: await this.work.run(activity) };
  }

  @Get('limited')
  @TrackedActivity({ type: 'limited', onDisconnect: 'cancel', limit: { key: 'one', max: 1 } })
  async limited(@CurrentActivity() activity: ActivityContext) {
    return { id: await this.work.run(activity) };
  }
}

const json = { 'content-type': 'application/json' };
const bytes = { 'content-type': 'application/octet-stream' };

describe.each(HTTP_KINDS)('a client that leaves, on %s', (_name, http) => {
  const serve = async () => {
    const served = await servedApp(
      http,
      { controllers: [Handlers], providers: [Work, Turnstile] },
      { configure: (app) => void (http === 'fastify' && takeBytesUnread(app)) },
    );
    return { ...served, work: served.get(Work) };
  };

  it('[C19] stops no work by default', async () => {
    const { url, work, probe, whenClientsAreGone } = await serve();
    const call = new ClientCall(`${url}/detached`);
    const id = await work.begun.promise;
    const gone = whenClientsAreGone();
    call.leave();
    await gone;
    expect(await probe.row(id)).toMatchObject({ status: 'running' });
    work.end.resolve();
    expect(await probe.settled(id)).toMatchObject({ status: 'succeeded', reason: null });
  });

  it.each<[string, CallOptions]>([
    ['without a body', {}],
    ['with a parsed body', { method: 'POST', headers: json, body: '{"n":1}' }],
    ['while its body is being sent', { method: 'POST', headers: bytes, body: 'some', sending: true }],
  ])("[F22] cancels the work where `onDisconnect` is 'cancel', %s, within a second", async (_how, options) => {
    const { url, work, probe } = await serve();
    const agent = new Agent({ keepAlive: true });
    const call = new ClientCall(`${url}/attached`, { ...options, agent });
    const id = await work.begun.promise;
    const left = Date.now();
    call.leave();
    const row = await probe.settled(id);
    expect(row).toMatchObject({ status: 'cancelled', reason: 'client_disconnected', cancel: null });
    expect(row.endedAt!.getTime() - left).toBeLessThan(1_000);
    agent.destroy();
  });

  it('[F22] does not call the work of a client that has left before it', async () => {
    const { url, probe, get, whenClientsAreGone } = await serve();
    const call = new ClientCall(`${url}/guarded`);
    await get(Turnstile).reached.promise;
    const gone = whenClientsAreGone();
    call.leave();
    await gone;
    get(Turnstile).open.resolve();
    const row = await probe.settled('guarded');
    expect(row).toMatchObject({ status: 'cancelled', reason: 'client_disconnected', startedAt: null });
  });

  it('[F22] cancels what waits for its slot, whose body is then never called', async () => {
    const { url, work, probe, activities } = await serve();
    const holder = await activities.start({ type: 'holder', limit: { key: 'one', max: 1 } });
    const call = new ClientCall(`${url}/limited`);
    const { id } = await probe.queued('limited');
    call.leave();
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    await holder.succeed();
    const next = new ClientCall(`${url}/limited`);
    expect(await work.begun.promise).not.toBe(id);
    work.end.resolve();
    await next.whole;
  });

  it('[F22] cancels each request of a connection that sent several at once', async () => {
    const { url, probe } = await serve();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /attached HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3));
    await probe.times('started', 3);
    socket.destroy();
    await probe.times('settled', 3);
    const rows = await probe.rows();
    expect(rows.map(({ reason }) => reason)).toEqual(Array(3).fill('client_disconnected'));
  });

  it('[F22] never cancels on a normal end: many requests on one connection, which then goes', async () => {
    const { url, work, probe, activities, sockets, whenClientsAreGone } = await serve();
    work.end.resolve();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const counts: number[] = [];
    for (let n = 0; n < 50; n++) {
      await ask(`${url}/attached`, { agent });
      await ask(`${url}/attached`, { agent, method: 'POST', headers: json, body: '{"n":1}' });
      await ask(`${url}/attached`, { agent, method: 'HEAD' });
      const [socket] = [...sockets];
      counts.push(socket!.eventNames().reduce((sum, name) => sum + socket!.listenerCount(name), 0));
    }
    expect(sockets.size).toBe(1);
    const gone = whenClientsAreGone();
    agent.destroy();
    await gone;
    expect(new Set(counts.slice(1)).size).toBe(1);
    const { items } = await activities.list({ status: 'succeeded', limit: 200 });
    expect(items).toHaveLength(150);
    expect(probe.count('settled')).toBe(150);
  });
});

/** Fastify refuses a content type that it has no parser for; Express leaves its body unread. */
function takeBytesUnread(app: INestApplication): void {
  const fastify = (app as NestFastifyApplication).getHttpAdapter().getInstance();
  fastify.addContentTypeParser('application/octet-stream', (_request, _body, done) => done(null));
}
