import { Inject, Injectable, Scope, UseFilters, UseGuards } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
  type OnGatewayConnection,
} from '@nestjs/websockets';
import { CurrentActivity, TrackedActivity, type ActivityContext, type ActivityModuleOptions } from 'nestjs-activity';
import { ActivityExceptionFilter } from 'nestjs-activity/admin';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { concat, NEVER, of, type Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { KnownUsers } from './known-users.js';

interface Greeting {
  name: string;
  user?: string;
}

type User = { user?: { id: string } };

const usersOfMessages = new KnownUsers(
  (context) => context.switchToWs().getData<Greeting | undefined>()?.user,
  (context) => context.switchToWs().getClient<object>(),
);

/** As gateways do it: once a connection, and the user is left on the client. */
function authenticate(client: WebSocket & User, request: IncomingMessage): void {
  const name = new URL(request.url!, 'ws://host').searchParams.get('user');
  if (name) client.user = { id: name };
}

@WebSocketGateway()
@UseGuards(usersOfMessages)
class Greetings implements OnGatewayConnection {
  handleConnection(client: WebSocket & User, request: IncomingMessage): void {
    authenticate(client, request);
  }

  @SubscribeMessage('greet')
  @TrackedActivity({ type: 'greet' })
  async greet(_client: unknown, { name }: Greeting) {
    return { event: 'greeting', data: `hello ${name}` };
  }

  @TrackedActivity({ type: 'decorated' })
  @SubscribeMessage('decorated')
  async decorated(
    @CurrentActivity() activity: ActivityContext,
    @MessageBody('name') name: string,
    @ConnectedSocket() client: WebSocket,
  ) {
    return { event: 'greeting', data: [name, activity.tracked, client.readyState === WebSocket.OPEN] };
  }

  @SubscribeMessage('refuse')
  @TrackedActivity({ type: 'refuse' })
  async refuse() {
    throw new WsException({ code: 'NO_GREETING', hint: 'none today' });
  }

  @SubscribeMessage('long')
  @TrackedActivity({ type: 'long' })
  async long(_client: unknown, _data: Greeting, @CurrentActivity() activity: ActivityContext) {
    await activity.sleep(60_000);
  }

  @SubscribeMessage('count')
  @TrackedActivity({ type: 'count' })
  count(): Observable<unknown> {
    return of(1, 2, 3);
  }

  @SubscribeMessage('watch')
  @TrackedActivity({ type: 'watch' })
  watch(): Observable<unknown> {
    return concat(of('begun'), NEVER);
  }
}

/** Global filters are not used for gateways. */
@WebSocketGateway()
@UseFilters(ActivityExceptionFilter)
class TellingGreetings extends Greetings {}

@Injectable({ scope: Scope.REQUEST })
class Names {
  constructor(@Inject(REQUEST) readonly client: User) {}
}

@WebSocketGateway()
class ScopedGateway implements OnGatewayConnection {
  constructor(private readonly names: Names) {}

  handleConnection(client: WebSocket & User, request: IncomingMessage): void {
    authenticate(client, request);
  }

  @SubscribeMessage('scoped')
  @TrackedActivity({ type: 'scoped' })
  async scoped() {
    return { event: 'who', data: this.names.client.user?.id ?? null };
  }
}

const sockets: WebSocket[] = [];

/** A client that keeps what it has received, so that nothing is missed between two questions. */
class Client {
  readonly #socket: WebSocket;
  readonly #received: unknown[] = [];
  #wake: (() => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      this.#received.push(JSON.parse(data.toString()));
      this.#wake?.();
    });
  }

  static async connect(port: number, user?: string): Promise<Client> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${user ? `?user=${user}` : ''}`);
    sockets.push(socket);
    const client = new Client(socket);
    await once(socket, 'open');
    return client;
  }

  send(event: string, data: unknown = {}): void {
    this.#socket.send(JSON.stringify({ event, data }));
  }

  async next(): Promise<unknown> {
    while (this.#received.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#received.shift();
  }

  ask(event: string, data?: unknown): Promise<unknown> {
    this.send(event, data);
    return this.next();
  }

  leave(): void {
    this.#socket.close();
  }
}

async function greeting(
  gateways: (new (...args: never[]) => object)[] = [Greetings],
  activity: ActivityModuleOptions = {},
): Promise<TrackedApp & { connect: (user?: string) => Promise<Client> }> {
  const tracked = await trackedApp(
    { providers: [...gateways, Names] },
    { activity, configure: (app) => void app.useWebSocketAdapter(new WsAdapter(app)) },
  );
  await tracked.app.listen(0, '127.0.0.1');
  const { port } = tracked.app.getHttpServer().address() as AddressInfo;
  return { ...tracked, connect: (user) => Client.connect(port, user) };
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await closeApps();
});

describe('[C46] a WebSocket gateway', () => {
  it('has one activity for each message, with its origin and the user of the connection or of a guard', async () => {
    const { connect, probe } = await greeting();
    const ada = await connect('ada');
    expect(await ada.ask('greet', { name: 'Bob' })).toEqual({ event: 'greeting', data: 'hello Bob' });
    const nobody = await connect();
    expect(await nobody.ask('greet', { name: 'Eve' })).toEqual({ event: 'greeting', data: 'hello Eve' });
    expect(await nobody.ask('greet', { name: 'Eve', user: 'grace' })).toEqual({ event: 'greeting', data: 'hello Eve' });
    const rows = await probe.rows();
    expect(rows.map(({ actor }) => actor?.id ?? null)).toEqual(['ada', null, 'grace']);
    for (const row of rows) {
      expect(row).toMatchObject({
        type: 'greet',
        status: 'succeeded',
        origin: { kind: 'ws', label: 'Greetings.greet', requestId: null },
      });
    }
  });

  it('fills the activity beside `@MessageBody()` and `@ConnectedSocket()`', async () => {
    const { connect } = await greeting();
    const client = await connect();
    expect(await client.ask('decorated', { name: 'Bob' })).toEqual({ event: 'greeting', data: ['Bob', true, true] });
  });

  it('may find its actor in the way of the module', async () => {
    const { connect, probe } = await greeting([Greetings], {
      actor: ({ context, request, args }) => {
        const { name } = context!.switchToWs().getData<Greeting>();
        return `${name} ${(args[1] as Greeting).name} ${request === args[0]}`;
      },
    });
    await (await connect('ada')).ask('greet', { name: 'Bob' });
    expect(await probe.only()).toMatchObject({ actor: { id: 'Bob Bob true' } });
  });

  it("leaves no row where a guard refuses, and sends the handler's own exception", async () => {
    const { connect, probe } = await greeting();
    const client = await connect();
    expect(await client.ask('greet', { name: 'x', user: 'mallory' })).toMatchObject({
      event: 'exception',
      data: { message: 'Forbidden resource' },
    });
    expect(await probe.rows()).toEqual([]);
    expect(await client.ask('refuse')).toEqual({
      event: 'exception',
      data: { code: 'NO_GREETING', hint: 'none today' },
    });
    expect(await probe.only()).toMatchObject({ type: 'refuse', status: 'failed', reason: 'error' });
  });

  it('tells its client of a cancel in mid-run: plainly by Nest, with code and text by the exception filter', async () => {
    for (const [gateway, data] of [
      [Greetings, { status: 'error', message: 'Internal server error' }],
      [
        TellingGreetings,
        { status: 'error', code: 'ACTIVITY_CANCELLED', message: expect.stringContaining('cancelled by grace') },
      ],
    ] as const) {
      const { connect, probe, activities } = await greeting([gateway]);
      const client = await connect();
      client.send('long');
      const { id } = await probe.started('long');
      await activities.cancel(id, { by: 'grace' });
      expect(await client.next()).toMatchObject({ event: 'exception', data });
      expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
    }
  });

  it('follows an Observable to its end', async () => {
    const { connect, probe } = await greeting();
    const client = await connect();
    expect([await client.ask('count'), await client.next(), await client.next()]).toEqual([1, 2, 3]);
    expect(await probe.settled('count')).toMatchObject({ status: 'succeeded' });
    expect(await probe.rows()).toHaveLength(1);
  });

  it('ends an Observable with its client, and with a cancel', async () => {
    const { connect, probe, activities } = await greeting([TellingGreetings]);
    const leaver = await connect();
    expect(await leaver.ask('watch')).toBe('begun');
    const left = await probe.started('watch');
    leaver.leave();
    expect(await probe.settled(left.id)).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });

    const stayer = await connect();
    expect(await stayer.ask('watch')).toBe('begun');
    const { id } = (await activities.list({ status: 'running' })).items[0]!;
    await activities.cancel(id, { by: 'grace' });
    expect(await stayer.next()).toMatchObject({ event: 'exception', data: { code: 'ACTIVITY_CANCELLED' } });
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('[C39] may be request-scoped: its request is the client', async () => {
    const { connect, probe } = await greeting([ScopedGateway]);
    const client = await connect('ada');
    expect(await client.ask('scoped')).toEqual({ event: 'who', data: 'ada' });
    expect(await probe.only()).toMatchObject({ type: 'scoped', actor: { id: 'ada' }, origin: { kind: 'ws' } });
  });
});
