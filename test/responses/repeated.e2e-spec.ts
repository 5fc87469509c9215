import { Body, ConflictException, Controller, Post } from '@nestjs/common';
import { CurrentActivity, TrackedActivity, type ActivityContext, type ActivityFrame } from 'nestjs-activity';
import { readActivityStream } from 'nestjs-activity/client';
import { deferred, type Deferred } from '../support/deferred.js';
import { closeApps } from '../support/tracked-app.js';
import { ask, ClientCall } from '../results/http-client.js';
import { HTTP_KINDS, servedApp } from '../results/served-app.js';

afterEach(closeApps);

let gate: Deferred<void>;
let begun: Deferred<ActivityContext>;
let bodies: number;
beforeEach(() => {
  gate = deferred();
  begun = deferred();
  bodies = 0;
});

const allow = { allow: ['accepted', 'stream'] } as const;

@Controller()
class OrdersController {
  @Post('orders')
  @TrackedActivity({ type: 'order', respond: allow })
  async order(@Body() body: { broken?: boolean }, @CurrentActivity() activity: ActivityContext) {
    begun.resolve(activity);
    await gate.promise;
    if (body.broken) throw new ConflictException('card 1234 declined');
    return { number: ++bodies };
  }

  @Post('index')
  @TrackedActivity({ type: 'index', exclusive: { key: 'index', onConflict: 'join' }, respond: allow })
  async index(@CurrentActivity() activity: ActivityContext) {
    begun.resolve(activity);
    await activity.sleep(60_000);
  }
}

const ASYNC = { prefer: 'respond-async' };
const NDJSON = { accept: 'application/x-ndjson' };

async function framesOf(body: string): Promise<ActivityFrame[]> {
  const frames: ActivityFrame[] = [];
  for await (const frame of readActivityStream(chunk(body))) frames.push(frame);
  return frames;
}

async function* chunk(text: string): AsyncGenerator<string> {
  yield text;
}

describe.each(HTTP_KINDS)('a request that another activity stands for, on %s', (_name, http) => {
  const serve = async () => {
    const served = await servedApp(http, { controllers: [OrdersController] }, { activity: { statusRoute: 'ops' } });
    const send = (headers: Record<string, string>, { key = 'k', body = {} } = {}) =>
      new ClientCall(`${served.url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
        body: JSON.stringify(body),
      });
    return { ...served, send };
  };

  it('is answered as it asks for, names the first activity in each mode, and nothing runs twice', async () => {
    const { send, probe } = await serve();
    const first = send({});
    const { id } = await begun.promise;
    const href = `/ops/${id}`;
    const accepted = await send(ASYNC).whole;
    expect(accepted).toMatchObject({ status: 202, headers: { 'activity-id': id, location: href } });
    expect(accepted.headers).not.toHaveProperty('idempotent-replayed');
    const streamed = send(NDJSON);
    // Before there is anything to tell: a client that waits must know that it is heard.
    await streamed.received(`{"type":"started","id":"${id}","status":"running","href":"${href}"}\n`);
    gate.resolve();
    const done = { type: 'done', id, status: 'succeeded', result: { number: 1 } };
    expect((await framesOf((await streamed.whole).body)).at(-1)).toEqual(done);
    expect(await first.whole).toMatchObject({ status: 201, body: '{"number":1}' });

    const replayed = { 'activity-id': id, 'idempotent-replayed': 'true' };
    expect(await send(ASYNC).whole).toMatchObject({ status: 202, headers: { ...replayed, location: href } });
    const waited = await send({ prefer: 'wait=5' }).whole;
    expect(waited).toMatchObject({ status: 201, headers: replayed, body: '{"number":1}' });
    const again = await send(NDJSON).whole;
    expect(again).toMatchObject({ status: 200, headers: { ...replayed, 'content-type': 'application/x-ndjson' } });
    expect(await framesOf(again.body)).toEqual([{ type: 'started', id, status: 'running', href }, done]);
    expect([bodies, (await probe.rows()).length]).toEqual([1, 1]);
  });

  it('is told of a failure by 409, without any filter of the app, and in a stream by its last frame', async () => {
    const { send } = await serve();
    gate.resolve();
    const call = { key: 'f', body: { broken: true } };
    const failed = await send({}, call).whole;
    expect([failed.status, JSON.parse(failed.body)]).toMatchObject([409, { message: 'card 1234 declined' }]);
    const activityId = failed.headers['activity-id'];
    for (const prefer of ['', 'wait=5']) {
      const { status, body } = await send({ prefer }, call).whole;
      expect(status).toBe(409);
      expect(JSON.parse(body)).toMatchObject({ code: 'ACTIVITY_FAILED', activityId });
    }
    const frames = await framesOf((await send(NDJSON, call).whole).body);
    expect(frames.at(-1)).toMatchObject({ type: 'error', id: activityId, status: 'failed', code: 'ACTIVITY_FAILED' });
    // Refused before anything begins, so an ordinary answer.
    expect((await send(NDJSON, { key: 'f' }).whole).status).toBe(422);
  });

  it('is told in its stream that the activity it has joined was cancelled', async () => {
    const { url, activities } = await serve();
    const first = ask(`${url}/index`, { method: 'POST' });
    const { id } = await begun.promise;
    const joined = new ClientCall(`${url}/index`, { method: 'POST', headers: NDJSON });
    await joined.received('"started"');
    await activities.cancel(id, { by: 'grace' });
    const frames = await framesOf((await joined.whole).body);
    expect(frames.at(-1)).toMatchObject({ type: 'error', id, status: 'cancelled', reason: 'user' });
    await first;
  });
});
