import {
  Controller,
  Injectable,
  NotFoundException,
  Post,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, TrackedActivity } from 'nestjs-activity';
import { ActivityAdminModule } from 'nestjs-activity/admin';
import { failed as failedActivity } from '../admin/admin-app.js';
import { ask, type Answer } from '../results/http-client.js';
import { describeEachAdapter, type AdapterUnderTest } from '../support/adapters.js';
import { deferred, type Deferred } from '../support/deferred.js';

@Injectable()
class WhoGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
    if (request.headers.user) request.user = { id: request.headers.user };
    return true;
  }
}

let gate: Deferred<void>;
beforeEach(() => (gate = deferred()));

@Controller('jobs')
class JobsController {
  @Post()
  @TrackedActivity({ type: 'job', respond: 'accepted', keepResult: true })
  async job() {
    await gate.promise;
    return { files: 2 };
  }
}

const database = () => TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' });

async function start(adapter: AdapterUnderTest, asynchronous = false) {
  const statusRoute = { path: 'operations', guards: [WhoGuard] };
  const { app, url } = await adapter.start(
    {
      imports: [
        database(),
        ActivityAdminModule.forRoot({ public: true }),
        asynchronous
          ? ActivityModule.forRootAsync({ statusRoute, useFactory: () => ({ shutdownGrace: 50 }) })
          : ActivityModule.forRoot({ statusRoute, shutdownGrace: 50 }),
      ],
      controllers: [JobsController],
    },
    { configure: (made) => void made.useGlobalGuards(new WhoGuard()).setGlobalPrefix('api') },
  );
  const activities = app.get(ActivityService);
  return { url, activities, as: (user?: string): Record<string, string> => (user ? { user } : {}) };
}

const bodyOf = ({ body }: Answer) => JSON.parse(body) as Record<string, unknown>;

describeEachAdapter('the status route', (adapter) => {
  it.each([false, true])('[F63] is the place that a 202 points to (options by a factory: %s)', async (asynchronous) => {
    const { url, activities, as } = await start(adapter, asynchronous);
    const accepted = await ask(`${url}/api/jobs`, { method: 'POST', headers: as('ada') });
    const { id } = bodyOf(accepted) as { id: string };
    expect(accepted).toMatchObject({ status: 202, headers: { location: `/api/operations/${id}` } });
    const running = await ask(url + accepted.headers.location!, { headers: as('ada') });
    expect(running).toMatchObject({ status: 200, headers: { 'retry-after': '1' } });
    expect(bodyOf(running)).toEqual(bodyOf(accepted));
    gate.resolve();
    await activities.waitFor(id);
    const ended = await ask(url + accepted.headers.location!, { headers: as('ada') });
    expect(ended.headers).not.toHaveProperty('retry-after');
    expect(bodyOf(ended)).toMatchObject({ id, status: 'succeeded', result: { files: 2 }, error: null });
  });

  it('answers 304 as long as nothing has changed', async () => {
    const { url, activities, as } = await start(adapter);
    const { headers } = await ask(`${url}/api/jobs`, { method: 'POST', headers: as('ada') });
    const look = (etag?: string) =>
      ask(url + headers.location!, { headers: { ...as('ada'), ...(etag ? { 'if-none-match': etag } : {}) } });
    const { etag } = (await look()).headers;
    expect(await look(etag)).toMatchObject({ status: 304, body: '', headers: { 'retry-after': '1', etag } });
    gate.resolve();
    await activities.waitFor(headers.location!.split('/').at(-1)!);
    expect((await look(etag)).status).toBe(200);
  });

  it('shows an activity to nobody but the one who started it; to others it is as unknown as any', async () => {
    const { url, as } = await start(adapter);
    const { headers } = await ask(`${url}/api/jobs`, { method: 'POST', headers: as('ada') });
    const answers = await Promise.all([
      ask(url + headers.location!, { headers: as('grace') }),
      ask(url + headers.location!),
      ask(`${url}/api/operations/01a211db-0000-7000-8000-000000000000`, { headers: as('ada') }),
      ask(`${url}/api/operations/x'--`, { headers: as('ada') }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    const anonymous = await ask(`${url}/api/jobs`, { method: 'POST' });
    expect((await ask(url + anonymous.headers.location!)).status).toBe(200);
    gate.resolve();
  });

  it('tells of a failure what was written for callers, and no more', async () => {
    const { url, activities } = await start(adapter);
    const failed = async (problem: Error) => {
      const id = await failedActivity(activities, { type: 'fails' }, problem);
      return bodyOf(await ask(`${url}/api/operations/${id}`));
    };
    expect(await failed(new NotFoundException('no such folder'))).toMatchObject({
      status: 'failed',
      error: { name: 'NotFoundException', message: 'no such folder' },
    });
    const secret = await failed(new Error('SELECT pin FROM users', { cause: new Error('db.internal:5432') }));
    expect(secret.error).toEqual({
      name: 'Error',
      message: 'The work failed. Why is for those who may read the activity.',
    });
    expect(JSON.stringify(secret)).not.toMatch(/SELECT|internal|\.ts/);
  });

  it('takes nothing but GET', async () => {
    const { url } = await start(adapter);
    const { headers } = await ask(`${url}/api/jobs`, { method: 'POST' });
    for (const method of ['POST', 'DELETE', 'PUT']) {
      expect((await ask(url + headers.location!, { method })).status).toBe(404);
    }
    gate.resolve();
  });
});

describe('the option `statusRoute`', () => {
  it.each<[unknown, string]>([
    ['', '`path` is "": it must be a path of plain segments'],
    ['a/:id', '`path` is "a/:id": it must be a path of plain segments'],
    [{}, '`path` is missing'],
    [{ path: 'x', guards: [undefined] }, '`guards.0` is undefined: it must be a guard'],
    [{ path: 'x', guard: [] }, 'unknown option `guard` (allowed: path, guards, imports)'],
  ])('%j is refused when the module is defined', (option, text) => {
    expect(() => ActivityModule.forRoot({ statusRoute: option as string })).toThrow(text);
  });

  it('mounts nothing without it', () => {
    expect(ActivityModule.forRoot({})).not.toHaveProperty('controllers');
  });
});
