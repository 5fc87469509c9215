import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Controller, Injectable } from '@nestjs/common';
import { Args, GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { CurrentActivity, TrackedActivity, type ActivityContext } from 'nestjs-activity';
import type { AddressInfo } from 'node:net';
import { firstValueFrom } from 'rxjs';
import request from 'supertest';
import { WebSocket } from 'ws';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describe('[C46] calls that are not HTTP', () => {
  it('a message handler keeps its undecorated payload beside the activity, on a microservice over TCP', async () => {
    @Controller()
    class Sums {
      @MessagePattern('sum')
      @TrackedActivity({ type: 'sum' })
      async sum(numbers: number[], @CurrentActivity() activity: ActivityContext) {
        return { sum: numbers.reduce((a, b) => a + b, 0), id: activity.id };
      }
    }
    const { app, probe } = await trackedApp(
      { controllers: [Sums] },
      {
        configure: async (application) => {
          application.connectMicroservice<MicroserviceOptions>(
            { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } },
            { inheritAppConfig: true },
          );
        },
      },
    );
    const [service] = await startMicroservices(app);
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: service! },
    });
    const answer = await firstValueFrom(client.send<{ sum: number; id: string }>('sum', [1, 2, 3]));
    await client.close();
    const row = await probe.only();
    expect(answer).toEqual({ sum: 6, id: row.id });
    expect(row).toMatchObject({ type: 'sum', status: 'succeeded', actor: null });
  });

  it('a gateway', async () => {
    @WebSocketGateway()
    class Gateway {
      @SubscribeMessage('greet')
      @TrackedActivity({ type: 'greet' })
      async greet(_client: unknown, name: string) {
        return { event: 'greeting', data: `hello ${name}` };
      }
    }
    const { app, probe } = await trackedApp(
      { providers: [Gateway] },
      { configure: (application) => void application.useWebSocketAdapter(new WsAdapter(application)) },
    );
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await new Promise((resolve) => socket.on('open', resolve));
    const answered = new Promise<string>((resolve) => socket.on('message', (data: Buffer) => resolve(data.toString())));
    socket.send(JSON.stringify({ event: 'greet', data: 'Ada' }));
    expect(JSON.parse(await answered)).toEqual({ event: 'greeting', data: 'hello Ada' });
    socket.close();
    expect(await probe.only()).toMatchObject({
      type: 'greet',
      status: 'succeeded',
      origin: { kind: 'ws' },
      actor: null,
    });
  });

  it('a GraphQL resolver, with the actor of its request', async () => {
    @Resolver()
    class Greetings {
      @Query(() => String)
      @TrackedActivity({ type: 'graphql' })
      async greeting(@Args('name', { type: () => String }) name: string, @CurrentActivity() activity: ActivityContext) {
        activity.log.info('resolving');
        return `hello ${name}`;
      }
    }
    const { app, probe } = await trackedApp(
      {
        imports: [
          GraphQLModule.forRoot<ApolloDriverConfig>({
            driver: ApolloDriver,
            autoSchemaFile: true,
            context: ({ req }: { req: unknown }) => ({ req }),
          }),
        ],
        providers: [Greetings],
      },
      { activity: { actor: ({ request: asked }) => (asked as { headers: Record<string, string> }).headers['x-user'] } },
    );
    const answer = await request(app.getHttpServer())
      .post('/graphql')
      .set('x-user', 'ada')
      .send({ query: '{ greeting(name: "Bob") }' });
    expect(answer.body).toEqual({ data: { greeting: 'hello Bob' } });
    expect(await probe.only()).toMatchObject({
      type: 'graphql',
      status: 'succeeded',
      actor: { id: 'ada' },
      latestMessage: 'resolving',
      origin: { kind: 'graphql', label: 'Greetings.greeting' },
    });
  });

  it('a cron run, whose actor is no one', async () => {
    @Injectable()
    class Nightly {
      @Cron('0 0 1 1 *', { name: 'nightly' })
      @TrackedActivity({ type: 'nightly' })
      async run(): Promise<void> {}
    }
    const { app, probe } = await trackedApp({ imports: [ScheduleModule.forRoot()], providers: [Nightly] });
    void app.get(SchedulerRegistry).getCronJob('nightly').fireOnTick();
    expect(await probe.settled('nightly')).toMatchObject({
      status: 'succeeded',
      actor: null,
      origin: { kind: 'schedule', label: 'Nightly.run' },
    });
  });
});

/** Starts them and tells their ports: the operating system chose them. */
async function startMicroservices(app: {
  startAllMicroservices(): Promise<unknown>;
  getMicroservices(): unknown[];
}): Promise<number[]> {
  await app.startAllMicroservices();
  return app.getMicroservices().map((service) => {
    const server = (service as { unwrap<T>(): T }).unwrap<{ address(): AddressInfo }>();
    return server.address().port;
  });
}
