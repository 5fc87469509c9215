import { Controller, Inject, Scope, UseGuards } from '@nestjs/common';
import { APP_FILTER, REQUEST } from '@nestjs/core';
import {
  BaseRpcContext,
  ClientProxyFactory,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
  type ClientProxy,
  type MicroserviceOptions,
  type RequestContext,
} from '@nestjs/microservices';
import { CurrentActivity, TrackedActivity, type ActivityContext, type ActivityModuleOptions } from 'nestjs-activity';
import { ActivityExceptionFilter } from 'nestjs-activity/admin';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { concat, firstValueFrom, interval, lastValueFrom, map, of, toArray, type Observable } from 'rxjs';
import { deferred } from '../support/deferred.js';
import { describeWithServer } from '../support/servers.js';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { KnownUsers } from './known-users.js';

interface Sum {
  user?: string;
  numbers: number[];
}

/** What the sender says is checked, and what is found left in the message's context. */
const usersOfMessages = new KnownUsers(
  (context) => context.switchToRpc().getData<Sum>().user,
  (context) => context.switchToRpc().getContext<object>(),
);

/** Redis's channels are seen in all of its databases: other runs of this suite must not hear these. */
const ours = (name: string) => `${name}.${process.pid}`;

const add = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
let heard = deferred<unknown>();

@Controller()
@UseGuards(usersOfMessages)
class Sums {
  @MessagePattern(ours('undecorated'))
  @TrackedActivity({ type: 'undecorated' })
  async undecorated(sum: Sum, @CurrentActivity() activity: ActivityContext) {
    return [add(sum.numbers), activity.tracked];
  }

  @TrackedActivity({ type: 'decorated' })
  @MessagePattern(ours('decorated'))
  async decorated(
    @CurrentActivity() activity: ActivityContext,
    @Payload('numbers') numbers: number[],
    @Ctx() context: BaseRpcContext,
  ) {
    return [add(numbers), activity.tracked, context instanceof BaseRpcContext];
  }

  @MessagePattern({ cmd: ours('refuse') })
  @TrackedActivity({ type: 'refuse' })
  async refuse(_sum: Sum) {
    throw new RpcException({ code: 'NO_SUM', hint: 'none today' });
  }

  @MessagePattern(ours('long'))
  @TrackedActivity({ type: 'long' })
  async long(_sum: Sum, @CurrentActivity() activity: ActivityContext) {
    await activity.sleep(60_000);
  }

  @MessagePattern(ours('count'))
  @TrackedActivity({ type: 'count' })
  count(@Payload() { numbers }: Sum, @CurrentActivity() activity: ActivityContext): Observable<unknown> {
    return concat(of(activity.id), of(...numbers));
  }

  @MessagePattern(ours('tick'))
  @TrackedActivity({ type: 'tick' })
  tick(_sum: Sum): Observable<number> {
    return interval(1).pipe(map((n) => n));
  }

  @EventPattern({ event: ours('summed') })
  @TrackedActivity({ type: 'summed' })
  async summed(@Payload() sum: Sum, @CurrentActivity() activity: ActivityContext) {
    heard.resolve([sum.numbers, activity.id]);
  }

  @EventPattern({ event: ours('failed') })
  @TrackedActivity({ type: 'failed' })
  async failed() {
    throw new Error('the listener is broken');
  }
}

@Controller({ scope: Scope.REQUEST })
class PerMessage {
  constructor(@Inject(REQUEST) private readonly request: RequestContext<Sum>) {}

  @MessagePattern(ours('scoped'))
  @TrackedActivity({ type: 'scoped' })
  async scoped(sum: Sum, @CurrentActivity() activity: ActivityContext) {
    return [add(sum.numbers), this.request.data.numbers, activity.tracked];
  }
}

interface Wire {
  options(): MicroserviceOptions;
  /** Resolves when messages will arrive. @returns options of the client. */
  ready(service: { unwrap<T>(): T }): Promise<MicroserviceOptions>;
}

const clients: ClientProxy[] = [];

/** A hybrid application, whose microservice has nothing of the application's own guards, filters and interceptors. */
async function summing(
  wire: Wire,
  {
    activity,
    withFilter = false,
    inherit = false,
  }: {
    activity?: ActivityModuleOptions;
    withFilter?: boolean;
    inherit?: boolean;
  } = {},
): Promise<TrackedApp & { client: ClientProxy }> {
  const tracked = await trackedApp(
    {
      controllers: [Sums, PerMessage],
      providers: withFilter ? [{ provide: APP_FILTER, useClass: ActivityExceptionFilter }] : [],
    },
    {
      activity,
      configure: (app) => void app.connectMicroservice(wire.options(), { inheritAppConfig: inherit || withFilter }),
    },
  );
  await tracked.app.startAllMicroservices();
  const [service] = tracked.app.getMicroservices();
  const client = ClientProxyFactory.create(
    (await wire.ready(service!)) as Parameters<typeof ClientProxyFactory.create>[0],
  );
  clients.push(client);
  await client.connect();
  return { ...tracked, client };
}

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await closeApps();
  heard = deferred();
});

const failure = (answer: Observable<unknown>): Promise<unknown> =>
  firstValueFrom(answer).then(
    (value) => ({ value }),
    (error: unknown) => error,
  );

function suite(wire: Wire): void {
  it.each([
    ['with the configuration of the application', true],
    ['without it', false],
  ])(
    'a message is one activity, with its origin and the user that a guard has left, in a hybrid app %s',
    async (_, inherit) => {
      const { client, probe } = await summing(wire, { inherit });
      expect(await firstValueFrom(client.send(ours('undecorated'), { user: 'ada', numbers: [1, 2, 3] }))).toEqual([
        6,
        true,
      ]);
      expect(await probe.only()).toMatchObject({
        type: 'undecorated',
        status: 'succeeded',
        actor: { id: 'ada' },
        origin: { kind: 'rpc', label: 'Sums.undecorated', requestId: null },
      });
    },
  );

  it('a payload is not lost beside the activity, decorated or not', async () => {
    const { client } = await summing(wire);
    expect(await firstValueFrom(client.send(ours('undecorated'), { numbers: [1, 2] }))).toEqual([3, true]);
    expect(await firstValueFrom(client.send(ours('decorated'), { numbers: [3, 4] }))).toEqual([7, true, true]);
  });

  it('what a sender says of itself is not the actor, but the module may believe it', async () => {
    const sent = { user: undefined, numbers: [], payload: 1 };
    const { client, probe } = await summing(wire);
    await firstValueFrom(client.send(ours('undecorated'), sent));
    expect(await probe.only()).toMatchObject({ actor: null });

    const believing = await summing(wire, {
      activity: {
        actor: ({ context, args }) =>
          `${context!.switchToRpc().getData<{ from: string }>().from} ${(args[0] as Sum).numbers.length}`,
      },
    });
    await firstValueFrom(believing.client.send(ours('undecorated'), { from: 'billing', numbers: [1, 2] }));
    expect(await believing.probe.only()).toMatchObject({ actor: { id: 'billing 2' } });
  });

  it('a guard that refuses leaves no row, and the error of a handler stays what it is', async () => {
    const { client, probe } = await summing(wire);
    expect(await failure(client.send(ours('undecorated'), { user: 'mallory', numbers: [] }))).toMatchObject({
      message: 'Forbidden resource',
    });
    expect(await probe.rows()).toEqual([]);
    expect(await failure(client.send({ cmd: ours('refuse') }, { numbers: [] }))).toEqual({
      code: 'NO_SUM',
      hint: 'none today',
    });
    expect(await probe.only()).toMatchObject({ type: 'refuse', status: 'failed', reason: 'error' });
  });

  it('a cancel in mid-run is told to the sender: plainly by Nest, with code and text by the exception filter', async () => {
    for (const [withFilter, answer] of [
      [false, { status: 'error', message: 'Internal server error' }],
      [true, { status: 'error', code: 'ACTIVITY_CANCELLED', message: expect.stringContaining('cancelled by grace') }],
    ] as const) {
      const { client, probe, activities } = await summing(wire, { withFilter });
      const answered = failure(client.send(ours('long'), { numbers: [] }));
      const { id } = await probe.started('long');
      await activities.cancel(id, { by: 'grace' });
      expect(await answered).toEqual(answer);
      expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
    }
  });

  it('[F91] an Observable is one activity as long as it lasts, and all its values arrive', async () => {
    const { client, probe } = await summing(wire);
    const [id, ...values] = await lastValueFrom(client.send(ours('count'), { numbers: [5, 6, 7] }).pipe(toArray()));
    expect(values).toEqual([5, 6, 7]);
    expect(await probe.settled(id as string)).toMatchObject({ type: 'count', status: 'succeeded' });
    expect(await probe.only()).toMatchObject({ id });
  });

  it('a cancel ends an Observable that would go on, and its receiver is told', async () => {
    const { client, probe, activities } = await summing(wire, { withFilter: true });
    const begun = deferred();
    const answered = new Promise<unknown>((resolve) => {
      client.send(ours('tick'), { numbers: [] }).subscribe({ next: () => begun.resolve(), error: resolve });
    });
    await begun.promise;
    const { id } = await probe.started('tick');
    await activities.cancel(id, { by: 'grace' });
    expect(await answered).toMatchObject({ code: 'ACTIVITY_CANCELLED' });
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('an event is one activity too, with or without its listener failing', async () => {
    const { client, probe } = await summing(wire);
    await lastValueFrom(client.emit({ event: ours('summed') }, { user: 'ada', numbers: [1, 2] }), {
      defaultValue: undefined,
    });
    const [numbers, id] = (await heard.promise) as [number[], string];
    expect(numbers).toEqual([1, 2]);
    expect(await probe.settled(id)).toMatchObject({
      type: 'summed',
      status: 'succeeded',
      actor: { id: 'ada' },
      origin: { kind: 'rpc', label: 'Sums.summed' },
    });
    await lastValueFrom(client.emit({ event: ours('failed') }, { numbers: [] }), { defaultValue: undefined });
    expect(await probe.settled('failed')).toMatchObject({
      status: 'failed',
      error: { message: 'the listener is broken' },
    });
    expect(await probe.rows()).toHaveLength(2);
  });

  it('[C39] a request-scoped controller is tracked, with the message injected', async () => {
    const { client, probe } = await summing(wire);
    expect(await firstValueFrom(client.send(ours('scoped'), { numbers: [8, 9] }))).toEqual([17, [8, 9], true]);
    expect(await probe.only()).toMatchObject({ type: 'scoped', status: 'succeeded', origin: { kind: 'rpc' } });
  });
}

describe('[C46] messages over TCP', () => {
  suite({
    options: () => ({ transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } }),
    ready: async (service) => {
      const { port } = service.unwrap<{ address(): AddressInfo }>().address();
      return { transport: Transport.TCP, options: { host: '127.0.0.1', port } };
    },
  });
});

describeWithServer('REDIS', 'messages over Redis', (url) => {
  const { hostname, port, username, password } = new URL(url);
  const options = {
    transport: Transport.REDIS as const,
    options: { host: hostname, port: Number(port || 6379), ...(password ? { username, password } : {}) },
  };
  suite({
    options: () => options,
    ready: async (service) => {
      const [, subscriber] = service.unwrap<[Redis, Redis]>();
      // Commands are answered in order: what was subscribed before is in force.
      await subscriber.ping();
      return options;
    },
  });
});
