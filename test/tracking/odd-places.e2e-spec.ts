import {
  Controller,
  Injectable,
  Post,
  Scope,
  SetMetadata,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { TrackedActivity } from 'nestjs-activity';
import { of, retry, type Observable } from 'rxjs';
import supertest from 'supertest';
import { closeApps, trackedApp, type HttpKind } from '../support/tracked-app.js';

afterEach(closeApps);

/** Wraps a method once more and keeps its metadata, as decorators of transactions or caches do. */
function Wrap(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as (...args: unknown[]) => unknown;
    const outer = function (this: unknown, ...args: unknown[]): unknown {
      return inner.apply(this, args);
    };
    for (const key of Reflect.getMetadataKeys(inner)) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, inner) as unknown, outer);
    }
    descriptor.value = outer;
  };
}

class Retry implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(retry(1));
  }
}

class KnowsAda implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    context.switchToHttp().getRequest<{ user?: unknown }>().user = { id: 'ada' };
    return true;
  }
}

describe('what the request knows', () => {
  let attempts = 0;

  @Controller('c')
  class Odd {
    @Post('wrapped')
    @Wrap()
    @TrackedActivity({ type: 'wrapped' })
    async wrapped() {
      return 'ok';
    }
    @Post('retried')
    @UseInterceptors(Retry)
    @TrackedActivity({ type: 'retried' })
    async retried() {
      if (++attempts === 1) throw new Error('first');
      return 'ok';
    }
  }

  it.each<[string, HttpKind]>([
    ['wrapped', 'express'],
    ['wrapped', 'fastify'],
    ['retried', 'express'],
    ['retried', 'fastify'],
  ])('reaches each run of a handler: %s, with %s', async (route, http) => {
    attempts = 0;
    const { app, probe } = await trackedApp(
      { controllers: [Odd] },
      {
        http,
        configure: (application) => void application.useGlobalGuards(new KnowsAda()),
      },
    );
    await supertest(app.getHttpServer()).post(`/c/${route}`).set('Activity-Batch-Id', 'a b').expect(400);
    await supertest(app.getHttpServer()).post(`/c/${route}`).set('Activity-Batch-Id', 'b1').expect(201);
    const rows = await probe.rows();
    expect(rows).toHaveLength(route === 'retried' ? 2 : 1);
    for (const row of rows) {
      expect(row).toMatchObject({
        actor: { id: 'ada' },
        batchId: 'b1',
        origin: { kind: 'http', label: `POST /c/${route}` },
      });
    }
  });
});

describe('[C38] a call that cannot be tracked', () => {
  it('is told of once a class: instances made per request, inside another value, or by new', async () => {
    class PerRequest {
      @TrackedActivity()
      async work(): Promise<string> {
        return 'ran';
      }
    }
    class Inside {
      @TrackedActivity()
      async work(): Promise<string> {
        return 'ran';
      }
    }
    const { app, log, probe } = await trackedApp({
      providers: [
        { provide: 'factory', scope: Scope.REQUEST, useFactory: () => new PerRequest() },
        { provide: 'list', useValue: [new Inside()] },
      ],
    });
    const made = await app.resolve<PerRequest>('factory');
    for (const _ of [1, 2]) expect(await made.work()).toBe('ran');
    expect(await app.get<Inside[]>('list')[0]!.work()).toBe('ran');
    expect(log.warnings('PerRequest.work')).toHaveLength(1);
    expect(log.warnings('Inside.work')).toEqual([expect.stringContaining('Make the class a provider')]);
    expect(await probe.rows()).toEqual([]);
  });
});

describe('odd classes', () => {
  it('may freeze themselves, and show nothing of the tracker when they are compared or printed', async () => {
    @Injectable()
    class Frozen {
      readonly name = 'frozen';
      constructor() {
        Object.freeze(this);
      }
      @TrackedActivity({ type: 'frozen' })
      async work(): Promise<string> {
        return this.name;
      }
    }
    const { get, probe } = await trackedApp({ providers: [Frozen] });
    expect(await get(Frozen).work()).toBe('frozen');
    expect(Reflect.ownKeys(get(Frozen))).toEqual(['name']);
    expect(await probe.only()).toMatchObject({ type: 'frozen' });
  });

  it('are refused when a method is decorated twice', () => {
    expect(() => {
      class Twice {
        @TrackedActivity()
        @TrackedActivity()
        async work(): Promise<void> {}
      }
      return Twice;
    }).toThrow(/Twice\.work has @TrackedActivity\(\) twice/);
  });

  it('do not boot synchronous because of metadata of their own', async () => {
    @Injectable()
    class Labelled {
      @SetMetadata('label', 'x')
      @TrackedActivity()
      count(): string {
        return 'now';
      }
    }
    await expect(trackedApp({ providers: [Labelled] })).rejects.toMatchObject({ code: 'ACTIVITY_DECORATOR_MISUSED' });
  });

  it('hear what to declare where a stream comes back as a promise', async () => {
    @Injectable()
    class Undeclared {
      @TrackedActivity()
      stream() {
        return of(1) as unknown;
      }
      @TrackedActivity()
      items(): unknown {
        return { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) };
      }
    }
    const { get, log } = await trackedApp({ providers: [Undeclared] }, { activity: { cancelGrace: 5 } });
    await get(Undeclared).stream();
    await get(Undeclared).items();
    expect(log.warnings('Undeclared.stream')).toEqual([expect.stringContaining("returns: 'observable'")]);
    expect(log.warnings('Undeclared.items')).toEqual([expect.stringContaining("returns: 'asyncIterable'")]);
  });

  it('are called although an option of theirs never answers', async () => {
    @Injectable()
    class Waits {
      @TrackedActivity({ type: 'waits', title: () => new Promise<string>(() => undefined) })
      async work(): Promise<string> {
        return 'ran';
      }
    }
    const { get, probe } = await trackedApp({ providers: [Waits] }, { activity: { startTimeout: 100 } });
    expect(await get(Waits).work()).toBe('ran');
    const row = await probe.only();
    expect(await probe.lines(row.id)).toEqual([expect.stringContaining('did not answer within 100 ms')]);
  });
});
