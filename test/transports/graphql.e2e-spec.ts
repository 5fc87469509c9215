import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Inject, Injectable, Scope, UseFilters, UseGuards } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  Args,
  Context,
  Field,
  GraphQLModule,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { GraphQLError } from 'graphql';
import { PubSub } from 'graphql-subscriptions';
import { createClient, type Client, type FormattedExecutionResult } from 'graphql-ws';
import { CurrentActivity, TrackedActivity, type ActivityContext, type ActivityModuleOptions } from 'nestjs-activity';
import { ActivityExceptionFilter } from 'nestjs-activity/admin';
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import supertest from 'supertest';
import { WebSocket } from 'ws';
import { closeApps, trackedApp, type TrackedApp } from '../support/tracked-app.js';
import { KnownUsers } from './known-users.js';

interface Request {
  /** An operation over graphql-ws has its connection in this place, without headers. */
  headers?: Record<string, string>;
}

interface SharedContext {
  req?: Request;
}

const usersOfOperations = new KnownUsers(
  (context) => context.getArgByIndex<SharedContext>(2).req?.headers?.['x-user'],
  (context) => context.getArgByIndex<SharedContext>(2).req ?? {},
);

@ObjectType()
class Greeting {
  @Field(() => String)
  text!: string;
}

const emitter = new EventEmitter();
const published = new PubSub<{ named: { named: string } }>({ eventEmitter: emitter });
let generatorEnded = false;

@Resolver(() => Greeting)
@UseGuards(usersOfOperations)
class Greetings {
  @Query(() => Greeting)
  @TrackedActivity({ type: 'query' })
  async greeting(@Args('name', { type: () => String }) name: string, @CurrentActivity() activity: ActivityContext) {
    activity.log.info('resolving');
    return { text: `hello ${name}` };
  }

  @TrackedActivity({ type: 'mutation' })
  @Mutation(() => String)
  async greet(
    @CurrentActivity() activity: ActivityContext,
    @Args('name', { type: () => String }) name: string,
    @Context() context: SharedContext,
  ) {
    if (name === 'nobody') throw new GraphQLError('who?', { extensions: { code: 'NO_NAME', hint: 'say one' } });
    if (name === 'long') await activity.sleep(60_000);
    return `${name} of ${context.req?.headers?.['x-user']}`;
  }

  @ResolveField(() => String)
  @TrackedActivity({ type: 'field' })
  async shout(@Parent() { text }: Greeting) {
    return text.toUpperCase();
  }

  @Subscription(() => String)
  @TrackedActivity({ type: 'names' })
  async named() {
    return published.asyncIterableIterator<{ named: string }>('named');
  }

  @Subscription(() => Number, { resolve: (value: number) => value })
  @TrackedActivity({ type: 'counts' })
  async *counted(@Args('to', { type: () => Number }) to: number, @CurrentActivity() activity: ActivityContext) {
    try {
      for (let n = 1; n <= to; n++) {
        activity.progress({ current: n, total: to });
        yield n;
      }
      if (to === 1) await activity.sleep(60_000);
    } finally {
      generatorEnded = true;
    }
  }

  @Subscription(() => Number)
  @TrackedActivity({ type: 'slow' })
  async *slow(@CurrentActivity() activity: ActivityContext) {
    await activity.sleep(60_000);
    yield { slow: 1 };
  }
}

@Resolver()
@UseFilters(ActivityExceptionFilter)
class TellingGreetings {
  @Query(() => String)
  @TrackedActivity({ type: 'long' })
  async long(@CurrentActivity() activity: ActivityContext) {
    await activity.sleep(60_000);
  }
}

@Injectable({ scope: Scope.REQUEST })
class Names {
  constructor(@Inject(REQUEST) readonly context: SharedContext) {}
}

@Resolver()
class ScopedGreetings {
  constructor(private readonly names: Names) {}

  @Query(() => String)
  @TrackedActivity({ type: 'scoped' })
  async whoAmI() {
    return this.names.context.req?.headers?.['x-user'];
  }
}

const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
  await closeApps();
  emitter.removeAllListeners();
  generatorEnded = false;
});

interface GreetingApp extends TrackedApp {
  query(text: string, user?: string): Promise<{ data?: unknown; errors?: Record<string, unknown>[] }>;
  subscriber(user?: string): Client;
}

async function greetingApp(
  options: Partial<ApolloDriverConfig> = {},
  activity: ActivityModuleOptions = {},
): Promise<GreetingApp> {
  const tracked = await trackedApp(
    {
      imports: [
        GraphQLModule.forRoot<ApolloDriverConfig>({
          driver: ApolloDriver,
          autoSchemaFile: true,
          subscriptions: {
            'graphql-ws': {
              onConnect: ({ connectionParams, extra }) => {
                const { user } = (connectionParams ?? {}) as { user?: string };
                if (user) Object.assign(extra as object, { user: { id: user } });
              },
            },
          },
          ...options,
        }),
      ],
      providers: [Greetings, TellingGreetings, ScopedGreetings, Names],
    },
    { activity },
  );
  await tracked.app.listen(0, '127.0.0.1');
  const { port } = tracked.app.getHttpServer().address() as AddressInfo;
  return {
    ...tracked,
    query: async (query, user) => {
      const asked = supertest(tracked.app.getHttpServer()).post('/graphql');
      const { body } = await (user ? asked.set('x-user', user) : asked).send({ query });
      return body as { data?: unknown; errors?: Record<string, unknown>[] };
    },
    subscriber: (user) => {
      const client = createClient({
        url: `ws://127.0.0.1:${port}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: user ? { user } : {},
        retryAttempts: 0,
      });
      clients.push(client);
      return client;
    },
  };
}

describe('[C46] a GraphQL resolver', () => {
  it('is one activity for a query and for a mutation, with the user of the request', async () => {
    const { query, probe } = await greetingApp();
    expect(await query('{ greeting(name: "Bob") { text } }', 'ada')).toEqual({
      data: { greeting: { text: 'hello Bob' } },
    });
    expect(await query('mutation { greet(name: "Bob") }', 'grace')).toEqual({ data: { greet: 'Bob of grace' } });
    expect(await probe.rows()).toMatchObject([
      {
        type: 'query',
        status: 'succeeded',
        actor: { id: 'ada' },
        latestMessage: 'resolving',
        origin: { kind: 'graphql', label: 'Greetings.greeting' },
      },
      { type: 'mutation', actor: { id: 'grace' }, origin: { kind: 'graphql', label: 'Greetings.greet' } },
    ]);
  });

  it('may find its actor in the way of the module', async () => {
    const { query, probe } = await greetingApp(
      {},
      {
        actor: ({ context, request, args }) => {
          const { req } = context!.getArgByIndex<SharedContext>(2);
          return `${(request as Request).headers?.['x-user']} ${String(args[0])} ${req === request}`;
        },
      },
    );
    await query('{ greeting(name: "Bob") { text } }', 'ada');
    expect(await probe.only()).toMatchObject({ actor: { id: 'ada Bob true' } });
  });

  it('leaves no row where a guard refuses, and gives the error that it throws', async () => {
    const { query, probe } = await greetingApp();
    const refused = await query('{ greeting(name: "Bob") { text } }', 'mallory');
    expect(refused.errors).toMatchObject([{ message: 'Forbidden resource', extensions: { code: 'FORBIDDEN' } }]);
    expect(await probe.rows()).toEqual([]);
    const { errors } = await query('mutation { greet(name: "nobody") }');
    expect(errors).toMatchObject([
      { message: 'who?', path: ['greet'], extensions: { code: 'NO_NAME', hint: 'say one' } },
    ]);
    expect(await probe.only()).toMatchObject({ type: 'mutation', status: 'failed', reason: 'error' });
  });

  it('tells its caller of a cancel in mid-run, with the code where the exception filter is used', async () => {
    const { query, probe, activities } = await greetingApp();
    for (const [text, type, code] of [
      ['mutation { greet(name: "long") }', 'mutation', 'INTERNAL_SERVER_ERROR'],
      ['{ long }', 'long', 'ACTIVITY_CANCELLED'],
    ] as const) {
      const answer = query(text);
      const { id } = await probe.started(type);
      await activities.cancel(id, { by: 'grace' });
      expect((await answer).errors).toMatchObject([
        { message: expect.stringContaining('cancelled by grace') as string, extensions: { code } },
      ]);
      expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
    }
  });

  it('of a field knows its operation where interceptors are enabled for fields', async () => {
    for (const [enhancers, actor] of [
      [[], null],
      [['interceptors'], { id: 'ada' }],
    ] as const) {
      const { query, probe } = await greetingApp({ fieldResolverEnhancers: [...enhancers] });
      expect(await query('{ greeting(name: "Bob") { shout } }', 'ada')).toEqual({
        data: { greeting: { shout: 'HELLO BOB' } },
      });
      const rows = await probe.rows();
      expect(rows.map(({ type }) => type)).toEqual(['query', 'field']);
      expect(rows[1]).toMatchObject({ actor, origin: { kind: 'graphql', label: 'Greetings.shout' } });
    }
  });

  it('[C39] may be request-scoped', async () => {
    const { query, probe } = await greetingApp();
    expect(await query('{ whoAmI }', 'ada')).toEqual({ data: { whoAmI: 'ada' } });
    expect(await probe.only()).toMatchObject({ type: 'scoped', origin: { kind: 'graphql' } });
  });
});

describe('a GraphQL subscription over graphql-ws', () => {
  it('[F91] is one activity that lasts as long as its subscriber stays, with the user of the connection', async () => {
    const { subscriber, probe } = await greetingApp();
    const values = subscriber('ada').iterate<{ named: string }>({ query: 'subscription { named }' });
    const first = values.next();
    const { id } = await probe.started('names');
    await whenSubscribed();
    await published.publish('named', { named: 'Bob' });
    expect((await first).value).toEqual({ data: { named: 'Bob' } });
    expect(await probe.row(id)).toMatchObject({
      status: 'running',
      actor: { id: 'ada' },
      origin: { kind: 'graphql', label: 'Greetings.named' },
    });
    await values.return!();
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    expect(await probe.rows()).toHaveLength(1);
  });

  it('ends with its source, whose values arrive as they were given', async () => {
    const { subscriber, probe } = await greetingApp();
    const values: (number | undefined)[] = [];
    for await (const result of subscriber().iterate<{ counted: number }>({
      query: 'subscription { counted(to: 3) }',
    })) {
      values.push(result.data?.counted);
    }
    expect(values).toEqual([1, 2, 3]);
    expect(await probe.settled('counts')).toMatchObject({
      status: 'succeeded',
      actor: null,
      progress: { current: 3, total: 3 },
    });
    expect(generatorEnded).toBe(true);
  });

  it('ends when its subscriber is gone without a word', async () => {
    const { subscriber, probe } = await greetingApp();
    const client = subscriber();
    const first = client.iterate({ query: 'subscription { counted(to: 1) }' });
    expect((await first.next()).value).toEqual({ data: { counted: 1 } });
    client.terminate();
    expect(await probe.settled('counts')).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    expect(generatorEnded).toBe(true);
  });

  it.each([
    ['slow', 'a generator'],
    ['names', 'a subscription of a bus, which knows nothing of signals'],
  ])('is told of a cancel in mid-run: %s, %s', async (type) => {
    const { subscriber, probe, activities } = await greetingApp();
    const query = type === 'slow' ? 'subscription { slow }' : 'subscription { named }';
    const first = subscriber().iterate({ query }).next();
    const { id } = await probe.started(type);
    if (type === 'names') await whenSubscribed();
    await activities.cancel(id, { by: 'grace' });
    expect(await answerOf(first)).toContain('cancelled by grace');
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('leaves no row for an operation that is not allowed', async () => {
    const { subscriber, probe } = await greetingApp();
    const answer = await subscriber()
      .iterate({ query: 'subscription { nothing }' })
      .next()
      .catch((error: unknown) => error);
    expect(JSON.stringify(answer)).toContain('nothing');
    expect(await probe.rows()).toEqual([]);
  });
});

/** The resolver's iterator has been asked for its first value. */
function whenSubscribed(): Promise<void> {
  if (emitter.listenerCount('named') > 0) return Promise.resolve();
  return new Promise((resolve) => {
    emitter.on('newListener', (event) => {
      if (event === 'named') resolve();
    });
  });
}

/** What a subscriber is told, as text: an error comes as a result or as a rejection. */
function answerOf(
  next: Promise<IteratorResult<FormattedExecutionResult<Record<string, unknown>, unknown>>>,
): Promise<string> {
  return next.then(
    ({ value }) => JSON.stringify(value),
    (error: unknown) => JSON.stringify(error),
  );
}
