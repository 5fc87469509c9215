import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import {
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Scope,
  UseGuards,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
} from '@nestjs/common';
import { ContextIdFactory, REQUEST, type ContextIdStrategy, type HostComponentInfo } from '@nestjs/core';
import { ActivityService, TrackedActivity, currentActivity, type ActivityContext } from 'nestjs-activity';
import pg from 'pg';
import supertest from 'supertest';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describe('the current activity', () => {
  it('[F25] is there in every function that the work calls, across awaits and timers', async () => {
    const { activities } = await trackedApp({});
    const seen: string[] = [];
    const deep = async (): Promise<void> => {
      await Promise.resolve();
      seen.push(currentActivity().id);
      await new Promise<void>((resolve) => setImmediate(() => resolve(void seen.push(currentActivity().id))));
    };
    const id = await activities.run({ type: 'x' }, async (activity) => {
      await deep();
      return activity.id;
    });
    expect(seen).toEqual([id, id]);
  });

  it('[F26] is a quiet no-op outside of one, whatever is called', async () => {
    const activity = currentActivity();
    expect(activity.tracked).toBe(false);
    activity.progress(50);
    activity.step('x');
    activity.log.error('nobody hears');
    activity.metadata.merge({ a: 1 });
    activity.throwIfCancelled();
    activity.writer().end('nowhere\n');
    await activity.sleep(1);
    expect(activity.metadata.get()).toEqual({});
    expect(activity.signal.aborted).toBe(false);
  });

  it('[C43] does not stay on after the call: for the next request of the same connection, or for the caller', async () => {
    @Controller()
    class Two {
      @Get('tracked')
      @TrackedActivity()
      async tracked() {
        return currentActivity().tracked;
      }
      @Get('untracked')
      untracked() {
        return currentActivity().tracked;
      }
    }
    const { app, activities } = await trackedApp({ controllers: [Two] });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const get = (path: string): Promise<{ text: string; socket: unknown }> =>
      new Promise((resolve, reject) => {
        http
          .get({ port, path, agent, host: '127.0.0.1' }, (answer) => {
            let text = '';
            const { socket } = answer;
            answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
            answer.on('end', () => resolve({ text, socket }));
          })
          .on('error', reject);
      });
    const [first, second] = [await get('/tracked'), await get('/untracked')];
    agent.destroy();
    expect([first.text, second.text]).toEqual(['true', 'false']);
    expect(second.socket).toBe(first.socket);
    await activities.run({ type: 'x' }, () => undefined);
    expect(currentActivity().tracked).toBe(false);
  });

  it('[C44] is the inner one inside a nested call and the outer again after it; a cancel goes down, a failure not up', async () => {
    const { activities, probe } = await trackedApp({});
    const reached = deferred();
    const inner = (name: string) =>
      activities.run({ type: name }, async (activity) => {
        await Promise.resolve();
        currentActivity().log.info(`I am ${name}`);
        return activity.id;
      });
    const outer = activities
      .run({ type: 'outer' }, async (activity) => {
        const ids = await Promise.all([inner('a'), inner('b')]);
        expect(currentActivity().id).toBe(activity.id);
        activity.log.info('outer again');
        await activities.run({ type: 'fails' }, () => Promise.reject(new Error('inner'))).catch(() => undefined);
        const waiting = activities.run({ type: 'waits' }, (child) => {
          reached.resolve();
          return child.sleep(60_000);
        });
        await waiting.catch(() => undefined);
        activity.throwIfCancelled();
        return ids;
      })
      .catch((error: unknown) => error);
    await reached.promise;
    const { id } = await probe.started('outer');
    await activities.cancel(id, { by: 'ada' });
    expect(await outer).toMatchObject({ abortReason: 'user' });
    const rows = new Map((await probe.rows()).map((row) => [row.type, row]));
    expect(['a', 'b', 'fails', 'waits'].map((type) => rows.get(type)?.parentId)).toEqual([id, id, id, id]);
    expect(
      ['outer', 'a', 'b', 'fails', 'waits'].map((type) => [rows.get(type)?.status, rows.get(type)?.reason]),
    ).toEqual([
      ['cancelled', 'user'],
      ['succeeded', null],
      ['succeeded', null],
      ['failed', 'error'],
      ['cancelled', 'parent'],
    ]);
    expect(await probe.lines(rows.get('a')!.id)).toEqual(['I am a']);
    expect((await probe.lines(id))[0]).toBe('outer again');
  });

  it('[C45] belongs to whoever opened an emitter, a pool or a worker, while an explicit context and a writer keep theirs', async () => {
    const seen: Record<string, boolean> = {};
    @Catch(RangeError)
    class Filter implements ExceptionFilter {
      catch(_error: unknown, host: ArgumentsHost): void {
        seen.filter = currentActivity().tracked;
        host
          .switchToHttp()
          .getResponse<{ status(n: number): { send(body: string): void } }>()
          .status(400)
          .send('filtered');
      }
    }
    @Controller()
    class Throws {
      @Get('throws')
      @TrackedActivity({ type: 'throws' })
      async throws() {
        throw new RangeError('x');
      }
    }
    const { app, activities, probe } = await trackedApp(
      { controllers: [Throws] },
      { configure: (application) => void application.useGlobalFilters(new Filter()) },
    );
    // All of these are opened outside, as an application's own are.
    const pool = new pg.Pool({ connectionString: process.env.TEST_POSTGRES_URL, max: 1 });
    await pool.query('SELECT 1');
    const worker = new Worker(
      'require("node:worker_threads").parentPort.on("message", (m) => { require("node:worker_threads").parentPort.postMessage(m); })',
      {
        eval: true,
      },
    );
    const emitter = new EventEmitter();
    const explicit: ActivityContext[] = [];
    emitter.on('x', () => {
      seen.emitter = currentActivity().tracked;
      explicit[0]?.log.info('from the emitter');
    });
    const fromWorker = deferred();
    worker.on('message', () => {
      explicit[0]?.log.info('from the worker');
      fromWorker.resolve();
    });
    const id = await activities.run({ type: 'x' }, async (activity) => {
      explicit.push(activity);
      emitter.emit('x');
      worker.postMessage(1);
      await fromWorker.promise;
      await new Promise<void>((resolve, reject) => {
        pool.query('SELECT 1', (error: Error | undefined) => {
          activity.log.info('from the pool');
          if (error) reject(error);
          else resolve();
        });
      });
      const child = spawn(process.execPath, ['-e', 'console.log("from the child")']);
      child.stdout.pipe(activity.writer());
      await new Promise((resolve) => child.on('close', resolve));
      return activity.id;
    });
    await worker.terminate();
    await pool.end();
    expect((await probe.lines(id)).toSorted()).toEqual([
      'from the child',
      'from the emitter',
      'from the pool',
      'from the worker',
    ]);
    await supertest(app.getHttpServer()).get('/throws').expect(400, 'filtered');
    // An emitter calls back in its caller's context; an exception filter runs after the activity.
    expect(seen).toEqual({ emitter: true, filter: false });
  });
});

describe('[C39] request-scoped parts of the app', () => {
  interface UserRequest {
    headers: Record<string, string>;
    user?: { id: string };
  }

  /** The app's way to find its user, request-scoped as such things are. */
  @Injectable({ scope: Scope.REQUEST })
  class UserResolver {
    constructor(@Inject(REQUEST) private readonly request: UserRequest) {}
    user(): { id: string } {
      return { id: this.request.headers['x-user']! };
    }
  }

  @Injectable({ scope: Scope.REQUEST })
  class UserGuard implements CanActivate {
    constructor(private readonly resolver: UserResolver) {}
    canActivate(context: ExecutionContext): boolean {
      context.switchToHttp().getRequest<UserRequest>().user = this.resolver.user();
      return true;
    }
  }

  /** One instance for each tenant, kept over requests. */
  @Injectable({ scope: Scope.REQUEST, durable: true })
  class TenantService {
    @TrackedActivity({ type: 'tenant' })
    async work(): Promise<string> {
      return currentActivity().id;
    }
  }

  @Controller({ path: 'scoped', scope: Scope.REQUEST })
  class ScopedController {
    constructor(
      private readonly resolver: UserResolver,
      private readonly tenant: TenantService,
    ) {}

    @Get()
    @UseGuards(UserGuard)
    @TrackedActivity({ type: 'scoped' })
    async scoped() {
      await new Promise((resolve) => setImmediate(resolve));
      return { user: this.resolver.user().id, activity: currentActivity().id, tenant: await this.tenant.work() };
    }
  }

  const perTenant: ContextIdStrategy<UserRequest> = {
    attach: (contextId, request) => {
      const tenant = Number(request.headers['x-user']?.split('-')[1]) % 2;
      const id = tenants[tenant]!;
      return (info: HostComponentInfo) => (info.isTreeDurable ? id : contextId);
    },
  };
  const tenants = [ContextIdFactory.create(), ContextIdFactory.create()];

  it('give fifty requests at once each their own actor, with one service and its hooks', async () => {
    ContextIdFactory.apply(perTenant as ContextIdStrategy);
    const { app, probe, activities } = await trackedApp({
      controllers: [ScopedController],
      providers: [UserResolver, UserGuard, TenantService],
    });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const answer = await fetch(`${url}/scoped`, { headers: { 'x-user': `user-${n}` } });
        return (await answer.json()) as { user: string; activity: string; tenant: string };
      }),
    );
    const rows = new Map((await probe.rows()).map((row) => [row.id, row]));
    expect(rows.size).toBe(100);
    expect(new Set(answers.map(({ user }) => user)).size).toBe(50);
    for (const { user, activity, tenant } of answers) {
      expect(rows.get(activity)).toMatchObject({ type: 'scoped', actor: { id: user }, status: 'succeeded' });
      expect(rows.get(tenant)).toMatchObject({ type: 'tenant', actor: { id: user }, parentId: activity });
    }
    expect(app.get(ActivityService)).toBe(activities);
    const running = activities.run({ type: 'open' }, ({ sleep }) => sleep(60_000)).catch((error: unknown) => error);
    await probe.started('open');
    await app.close();
    expect(await running).toMatchObject({ abortReason: 'shutdown' });
  });
});
