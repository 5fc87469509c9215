import {
  Inject,
  Injectable,
  Module,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { ActivityAdminModule, type ActivityAdminOptions } from 'nestjs-activity/admin';
import { describeEachAdapter } from '../support/adapters.js';
import { adminApp, ended, type AdminApp, type AdminAppOptions } from './admin-app.js';

const BASE = '/admin/activities';

@Injectable()
class Keys {
  readonly known = new Map([['letmein', { id: 'ada' }]]);
}

@Module({ providers: [Keys], exports: [Keys] })
class KeysModule {}

@Injectable()
class KeyGuard implements CanActivate {
  constructor(@Inject(Keys) private readonly keys: Keys) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    const key = request.headers['x-key'];
    if (key === undefined) throw new UnauthorizedException('no key');
    request.user = this.keys.known.get(key);
    return request.user !== undefined;
  }
}

const nobody: CanActivate = { canActivate: () => false };

/** Every route, on an activity that is there, as one who may not would call it. */
function everyRoute({ http }: AdminApp, id: string) {
  return [
    http.get(BASE),
    http.get(`${BASE}?status=sucess`),
    http.get(`${BASE}/${id}`),
    http.get(`${BASE}/abc`),
    http.get(`${BASE}/${id}/messages`),
    http.post(`${BASE}/${id}/cancel`).send({ reason: 'x' }),
    http.delete(`${BASE}?all=true`),
  ];
}

describeEachAdapter('the guards of the admin API', (adapter) => {
  it("[C127] stand before every route, with a problem as the answer, also where they are the whole app's", async () => {
    const guardedAnyhow: AdminAppOptions[] = [
      { admin: { guards: [nobody] } },
      { admin: { public: true }, providers: [{ provide: APP_GUARD, useValue: nobody }] },
    ];
    for (const options of guardedAnyhow) {
      const admin = await adminApp(adapter, options);
      const id = await ended(admin.activities, { type: 'past' });
      for (const call of everyRoute(admin, id)) {
        const { body } = await call.expect(403).expect('Content-Type', /^application\/problem\+json/);
        expect(body).toMatchObject({
          title: 'Forbidden',
          status: 403,
          code: 'FORBIDDEN',
          detail: 'Forbidden resource',
        });
      }
      expect(await admin.activities.get(id)).not.toBeNull();
    }
    expect(() => ActivityAdminModule.forRoot()).toThrow(expect.objectContaining({ code: 'ACTIVITY_ADMIN_UNGUARDED' }));
  });

  it('may be classes whose dependencies a module of the option `imports` exports', async () => {
    const admin = await adminApp(adapter, { admin: { guards: [KeyGuard], imports: [KeysModule] } });
    const id = await ended(admin.activities, { type: 'past' });
    for (const call of everyRoute(admin, id)) {
      const { body } = await call.expect(401);
      expect(body).toMatchObject({ title: 'Unauthorized', code: 'UNAUTHORIZED', detail: 'no key' });
    }
    await admin.http.get(BASE).set('X-Key', 'wrong').expect(403);
    await admin.http.get(BASE).set('X-Key', 'letmein').expect(200);
  });

  it('are asked in their order, all of them', async () => {
    const asked: string[] = [];
    const guard = (name: string): CanActivate => ({ canActivate: () => asked.push(name) > 0 });
    const { http } = await adminApp(adapter, { admin: { guards: [guard('first'), guard('second')] } });
    await http.get(BASE).expect(200);
    expect(asked).toEqual(['first', 'second']);
  });

  it('belong to one path where there are several', async () => {
    const { http } = await adminApp(adapter, {
      admin: { guards: [nobody] },
      imports: [ActivityAdminModule.forRoot({ path: '/ops/runs/', public: true })],
    });
    await http.get(BASE).expect(403);
    await http.get('/ops/runs').expect(200);
  });
});

describe('ActivityAdminModule.forRoot', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['an empty list', { guards: [] }],
    ['only a path', { path: 'x' }],
    ['`public: false`', { public: false }],
  ])('refuses %s: without guards, `public: true` must be said', (_what, options) => {
    expect(() => ActivityAdminModule.forRoot(options as ActivityAdminOptions)).toThrow(
      expect.objectContaining({ code: 'ACTIVITY_ADMIN_UNGUARDED', message: expect.stringContaining('public: true') }),
    );
  });

  it.each<[unknown, RegExp]>([
    [{ public: true, gards: [] }, /unknown option "gards" \(allowed: path, guards, public, imports, actor, stacks\)/],
    [{ guards: [undefined] }, /`guards` is a list: it must hold guards only.*circular import/],
    [{ guards: [{}] }, /`guards` is a list: it must hold guards only/],
    [{ guards: KeyGuard }, /`guards` is a function: it must be a list/],
    [{ guards: [KeyGuard], public: true }, /`public: true` stands beside `guards`/],
    [{ public: 'yes' }, /`public` is "yes": it must be true or false/],
    [{ public: true, path: '' }, /`path` is "": it must be a path of plain segments/],
    [{ public: true, path: 'a/:id' }, /`path` is "a\/:id"/],
    [{ public: true, path: 7 }, /`path` is 7: it must be text/],
    [{ public: true, actor: 'ada' }, /`actor` is "ada": it must be a function of the request/],
    [{ public: true, imports: KeysModule }, /`imports` is a function: it must be a list/],
    [{ public: true, stacks: 1 }, /`stacks` is 1/],
    [null, /ActivityAdminModule options: null must be an object/],
  ])('refuses %j and says what is allowed', (options, expected) => {
    expect(() => ActivityAdminModule.forRoot(options as ActivityAdminOptions)).toThrow(
      expect.objectContaining({ code: 'ACTIVITY_OPTION_INVALID', message: expect.stringMatching(expected) }),
    );
  });

  it('says what to import when there is no ActivityModule', async () => {
    const start = Test.createTestingModule({ imports: [ActivityAdminModule.forRoot({ public: true })] }).compile();
    await expect(start).rejects.toMatchObject({
      code: 'ACTIVITY_MODULE_MISSING',
      message: expect.stringContaining('ActivityModule.forRoot()') as string,
    });
  });
});
