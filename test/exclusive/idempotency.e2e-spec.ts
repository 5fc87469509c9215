import { Body, Controller, Get, Param, Post, Req, Res } from '@nestjs/common';
import { CurrentActivity, TrackedActivity, type ActivityContext, type ActivityService } from 'nestjs-activity';
import { ActivityExceptionFilter } from 'nestjs-activity/admin';
import { APP_FILTER } from '@nestjs/core';
import request from 'supertest';
import { describeEachDatabase } from '../support/databases.js';
import { deferred, type Deferred } from '../support/deferred.js';
import { failureOf } from '../support/failure-of.js';
import { closeApps, trackedApp, type HttpKind } from '../support/tracked-app.js';

afterEach(closeApps);

describeEachDatabase('an idempotency key', (database) => {
  async function twoApps() {
    const { options } = await database.create(import.meta.url);
    return { one: await trackedApp({}, { database: options }), two: await trackedApp({}, { database: options }) };
  }

  it('[F87] runs one body of twenty calls at once in two applications, and all get its result', async () => {
    const { one, two } = await twoApps();
    let bodies = 0;
    const call = ({ activities }: { activities: ActivityService }) =>
      activities.run({ type: 'order', actor: 'ada', idempotencyKey: '__proto__' }, async ({ sleep }) => {
        bodies++;
        await sleep(30);
        return { order: 7 };
      });
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => call(index % 2 ? one : two)));
    expect(bodies).toBe(1);
    for (const result of results) expect(result).toEqual({ order: 7 });
    expect(await call(one)).toEqual({ order: 7 });
    const { id } = await one.probe.only();
    const background = await two.activities.runInBackground(
      { type: 'order', actor: 'ada', idempotencyKey: '__proto__' },
      () => 'ran',
    );
    expect(background.id).toBe(id);
    expect(await background.done).toEqual({ order: 7 });
  });

  it('of another user, type or scope is another key', async () => {
    const { one } = await twoApps();
    const run = (options: object, value: string) =>
      one.activities.run({ type: 'order', actor: 'ada', idempotencyKey: 'k', ...options }, () => value);
    expect(await run({}, 'hers')).toBe('hers');
    expect(await run({ actor: 'bob' }, 'his')).toBe('his');
    expect(await run({ type: 'refund' }, 'other type')).toBe('other type');
    expect(await run({ scope: 'tenant' }, 'other scope')).toBe('other scope');
    expect(await run({ idempotencyKey: 'K' }, 'other key')).toBe('other key');
    expect(await run({}, 'again')).toBe('hers');
  });

  it('tells a failure again, runs what was cancelled anew, and forgets with the row', async () => {
    const { one, two } = await twoApps();
    const options = { type: 'order', actor: 'ada', idempotencyKey: 'k' };
    await failureOf(
      one.activities.run(options, () => {
        throw new Error('card declined');
      }),
    );
    const { id } = await one.probe.only();
    expect(await failureOf(two.activities.run(options, () => 'ran'))).toMatchObject({
      code: 'ACTIVITY_FAILED',
      activityId: id,
      failure: { message: 'card declined' },
    });
    await one.activities.clearHistory({ all: true });
    expect(await two.activities.run(options, () => 'ran')).toBe('ran');
    const other = { ...options, type: 'refund' };
    const cancelled = failureOf(one.activities.run(other, ({ sleep }) => sleep(60_000)));
    await one.activities.cancel((await one.probe.started('refund')).id);
    expect(await cancelled).toMatchObject({ abortReason: 'user' });
    expect(await two.activities.run(other, () => 'ran')).toBe('ran');
  });

  it('says clearly that a result was not kept, and does not run a second time', async () => {
    const { one } = await twoApps();
    for (const [key, value] of [
      ['long', 'x'.repeat(70_000)],
      ['bytes', Buffer.from('x')],
      ['bigint', 1n],
    ] as const) {
      const options = { type: 'order', actor: 'ada', idempotencyKey: key };
      expect(await one.activities.run(options, () => value)).toBe(value);
      expect(await failureOf(one.activities.run(options, () => value))).toMatchObject({
        code: 'ACTIVITY_RESULT_UNAVAILABLE',
        status: 'succeeded',
      });
    }
  });
});

let bodies = 0;
let end: Deferred<void>;

@Controller()
class OrdersController {
  @Post('orders')
  @TrackedActivity({
    type: 'order',
    actor: ({ request: asking }) => (asking as { headers: Record<string, string> }).headers['x-user'],
  })
  order(@Body() body: { item: string }, @CurrentActivity() _activity: ActivityContext) {
    return { item: body.item, number: ++bodies };
  }

  @Post('mine')
  @TrackedActivity({ type: 'mine' })
  mine(@Req() { headers }: { headers: Record<string, string> }) {
    return { of: headers.cookie ?? headers['x-api-key'] ?? headers.authorization ?? 'anybody', number: ++bodies };
  }

  @Post('nobody')
  @TrackedActivity({
    type: 'nobody',
    actor: () => {
      throw new Error('users are away');
    },
  })
  nobody() {
    return { number: ++bodies };
  }

  @Get('hold/:ref')
  @TrackedActivity({ type: 'hold', actor: 'ada', exclusive: ({ args: [ref] }) => `image:${ref}` })
  async hold(@Param('ref') _ref: string) {
    await end.promise;
    return 'held';
  }

  @Post('by-hand')
  @TrackedActivity({ type: 'by-hand' })
  byHand(@Res() response: { send(text: string): void }) {
    bodies++;
    response.send('by hand');
  }
}

describe.each<HttpKind>(['express', 'fastify'])('keys over HTTP, on %s', (http) => {
  beforeEach(() => {
    bodies = 0;
    end = deferred();
  });
  const start = async (providers: object[] = []) => {
    const tracked = await trackedApp({ controllers: [OrdersController], providers: providers as [] }, { http });
    return { ...tracked, server: tracked.app.getHttpServer() as object as Parameters<typeof request>[0] };
  };

  it.each(['Operation-Id', 'Idempotency-Key'])('%s: a repeated request gets the first answer', async (header) => {
    const { server, probe } = await start();
    const send = (body: object, user = 'ada', key = 'k-1') =>
      request(server).post('/orders').set('x-user', user).set(header, key).send(body);
    const first = await send({ item: 'book', n: 1 }).expect(201);
    const { id } = await probe.only();
    const again = await send({ n: 1, item: 'book' }).expect(201);
    expect(again.body).toEqual(first.body);
    expect(again.headers).toMatchObject({ 'activity-id': id, 'idempotent-replayed': 'true' });
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    const reused = await send({ item: 'pen' }).expect(422);
    expect(reused.body).toMatchObject({ code: 'ACTIVITY_KEY_REUSED', activityId: id, status: 422 });
    expect((await send({ item: 'pen' }, 'bob').expect(201)).body).toEqual({ item: 'pen', number: 2 });
    await send({ item: 'x' }, 'ada', 'x'.repeat(192)).expect(400);
    const both = request(server).post('/orders').set('Operation-Id', 'a').set('Idempotency-Key', 'b').send({});
    await both.expect(400);
    expect(bodies).toBe(2);
  });

  it('gives nobody what was another’s, also where callers are known by a cookie or an API key alone', async () => {
    const { server } = await start();
    const send = (headers: Record<string, string>) =>
      request(server)
        .post('/mine')
        .set({ 'Idempotency-Key': '1', ...headers })
        .expect(201);
    const callers = ['a', 'b'].flatMap((who): Record<string, string>[] => [
      { cookie: `sid=${who}` },
      { 'x-api-key': who },
      { authorization: who },
    ]);
    for (const round of ['first', 'again']) {
      for (const [index, caller] of callers.entries()) {
        // A token against forged requests is no sign of another caller.
        const { body } = await send({ ...caller, 'x-csrf-token': round });
        expect(body).toEqual({ of: Object.values(caller)[0], number: index + 1 });
      }
    }
  });

  it('refuses a key whose owner cannot be found, and runs the call without one', async () => {
    const { server } = await start();
    await request(server).post('/nobody').set('Idempotency-Key', '1').expect(500);
    expect(bodies).toBe(0);
    expect((await request(server).post('/nobody').expect(201)).body).toEqual({ number: 1 });
  });

  it('a conflict is a 409 that names the holder, without any filter of the app and with ours', async () => {
    for (const providers of [[], [{ provide: APP_FILTER, useClass: ActivityExceptionFilter }]]) {
      end = deferred();
      const { server, probe } = await start(providers);
      const holder = request(server)
        .get('/hold/x')
        .then((answer) => answer);
      const { id, startedAt } = await probe.started('hold');
      const { body, headers } = await request(server).get('/hold/x').expect(409);
      expect(body).toMatchObject({
        code: 'ACTIVITY_CONFLICT',
        status: 409,
        title: 'Conflict',
        holder: { id, type: 'hold', actor: { id: 'ada' }, status: 'running', startedAt: startedAt!.toISOString() },
      });
      expect(Object.keys(body.holder as object).toSorted()).toEqual(['actor', 'id', 'startedAt', 'status', 'type']);
      expect(headers['activity-id']).toBeUndefined();
      if (providers.length > 0) expect(headers['content-type']).toContain('application/problem+json');
      end.resolve();
      expect((await holder).text).toBe('held');
    }
  });

  it('an answer that is written by hand is not written twice: a repeated request is told so', async () => {
    const { server } = await start();
    await request(server).post('/by-hand').set('Operation-Id', 'k').expect(201, 'by hand');
    const again = await request(server).post('/by-hand').set('Operation-Id', 'k').expect(409);
    expect(again.body).toMatchObject({ code: 'ACTIVITY_RESULT_UNAVAILABLE' });
    expect(bodies).toBe(1);
  });
});
