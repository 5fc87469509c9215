import { EventEmitter } from 'node:events';
import { Controller, Get, Injectable } from '@nestjs/common';
import { TrackedActivity, currentActivity } from 'nestjs-activity';
import { EMPTY, Observable, concat, firstValueFrom, lastValueFrom, of, throwError, toArray } from 'rxjs';
import request from 'supertest';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

/** Runs with each `then`, as the query builders of some libraries do. */
class LazyQuery implements PromiseLike<number> {
  constructor(private readonly execute: () => number) {}
  // oxlint-disable-next-line unicorn/no-thenable
  then: PromiseLike<number>['then'] = (resolve, reject) => Promise.resolve(this.execute()).then(resolve, reject);
}

describe('a tracked method keeps its shape', () => {
  @Injectable()
  class Shapes {
    executed = 0;
    @TrackedActivity({ type: 'promise' })
    async promise(): Promise<number> {
      return 1;
    }
    @TrackedActivity({ type: 'observable' })
    observable(fail = false): Observable<string> {
      this.executed++;
      const ids = new Observable<string>((subscriber) => {
        subscriber.next(currentActivity().id);
        subscriber.complete();
      });
      return concat(ids, fail ? throwError(() => new Error('third')) : of('b'));
    }
    @TrackedActivity({ type: 'told', returns: 'observable' })
    told() {
      return EMPTY as Observable<number>;
    }
    @TrackedActivity({ type: 'generator' })
    async *generator(): AsyncGenerator<string> {
      try {
        yield currentActivity().id;
        yield currentActivity().id;
        yield currentActivity().id;
      } finally {
        currentActivity().log.info('cleaned up');
      }
    }
    @TrackedActivity({ type: 'thenable' })
    lazy(): PromiseLike<number> {
      return new LazyQuery(() => {
        this.executed++;
        return 42;
      });
    }
    @TrackedActivity({ type: 'undeclared' })
    undeclared() {
      return 5;
    }
  }

  it('gives a promise for an async method', async () => {
    const { get } = await trackedApp({ providers: [Shapes] });
    const result = get(Shapes).promise();
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe(1);
  });

  it('gives an Observable at once, started on subscription, ended with its last value', async () => {
    const { get, probe } = await trackedApp({ providers: [Shapes] });
    const shapes = get(Shapes);
    const observable = shapes.observable();
    expect(observable).toBeInstanceOf(Observable);
    expect(shapes.executed).toBe(0);
    const [id, last] = await lastValueFrom(observable.pipe(toArray()));
    expect(last).toBe('b');
    expect(await probe.only()).toMatchObject({ id, type: 'observable', status: 'succeeded' });
    await expect(lastValueFrom(shapes.observable(true))).rejects.toThrow('third');
    await lastValueFrom(shapes.told(), { defaultValue: 0 });
    expect((await probe.rows()).map(({ type, status }) => [type, status])).toEqual([
      ['observable', 'succeeded'],
      ['observable', 'failed'],
      ['told', 'succeeded'],
    ]);
    expect(shapes.executed).toBe(2);
  });

  it('ends with the subscriber that leaves an Observable', async () => {
    const { get, probe } = await trackedApp({ providers: [Shapes] });
    await firstValueFrom(get(Shapes).observable());
    expect(await probe.settled('observable')).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
  });

  it('gives an async iterable whose every step runs in its activity, and cleans up when its reader leaves', async () => {
    const { get, probe } = await trackedApp({ providers: [Shapes] });
    const shapes = get(Shapes);
    const ids: string[] = [];
    for await (const id of shapes.generator()) ids.push(id);
    const whole = await probe.only();
    expect(ids).toEqual([whole.id, whole.id, whole.id]);
    expect(whole).toMatchObject({ status: 'succeeded', latestMessage: 'cleaned up' });
    for await (const id of shapes.generator()) {
      expect(id).not.toBe(whole.id);
      break;
    }
    const [, left] = await probe.rows();
    expect(left).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    expect(await probe.lines(left!.id)).toContain('cleaned up');
    // A generator that nobody reads has not begun.
    shapes.generator();
    expect(await probe.rows()).toHaveLength(2);
  });

  it('[C48] executes a thenable once, does not take an Observable for done, and warns once of a synchronous method', async () => {
    const { get, probe, log } = await trackedApp({ providers: [Shapes] });
    const shapes = get(Shapes);
    expect(await shapes.lazy()).toBe(42);
    expect(shapes.executed).toBe(1);
    for (const _ of [1, 2]) expect(await (shapes.undeclared() as unknown as Promise<number>)).toBe(5);
    expect(log.warnings('Shapes.undeclared')).toHaveLength(1);
    const subscription = new Promise<string>((resolve) => {
      shapes.observable().subscribe({ next: resolve });
    });
    expect(await subscription).toMatch(/^[0-9a-f-]{36}$/);
    await probe.settled('observable');
  });

  it('is fine synchronous on a controller, where Nest awaits it', async () => {
    @Controller()
    class SyncController {
      @Get('number')
      @TrackedActivity({ type: 'sync' })
      number(): { n: number } {
        return { n: 5 };
      }
    }
    const { app, probe, log } = await trackedApp({ controllers: [SyncController] });
    await request(app.getHttpServer()).get('/number').expect(200, { n: 5 });
    expect(await probe.only()).toMatchObject({ type: 'sync', status: 'succeeded' });
    expect(log.warnings()).toEqual([]);
  });

  it('does not boot where a plain provider declares a synchronous value, and says what to do', async () => {
    @Injectable()
    class SyncService {
      @TrackedActivity()
      count(): number {
        return 5;
      }
    }
    await expect(trackedApp({ providers: [SyncService] })).rejects.toMatchObject({
      code: 'ACTIVITY_DECORATOR_MISUSED',
      message: expect.stringMatching(
        /SyncService\.count is declared to return Number.*async count\(…\): Promise<number>.*activities\.run/s,
      ) as string,
    });
  });

  it('[C41] keeps the rules of `this`, and refuses what is no method when the class is defined', async () => {
    class Base {
      @TrackedActivity({ type: 'base' })
      async run(): Promise<string> {
        return `this is ${this?.constructor.name}`;
      }
    }
    @Injectable()
    class Service extends Base {
      override async run(): Promise<string> {
        return super.run();
      }
    }
    const { get, probe, activities } = await trackedApp({ providers: [Service, Base] });
    const service = get(Service);
    expect(await service.run()).toBe('this is Service');
    const { run } = get(Base);
    expect(await run()).toBe('this is undefined');
    const emitter = new EventEmitter();
    const heard = new Promise((resolve) =>
      emitter.on('x', function (this: unknown) {
        resolve(Reflect.apply(get(Base).run, this, []));
      }),
    );
    emitter.emit('x');
    expect(await heard).toBe('this is EventEmitter');
    expect((await probe.rows()).map(({ type }) => type)).toEqual(['base']);
    await activities.run({ type: 'destructured' }, ({ log, progress, step, metadata: { merge }, throwIfCancelled }) => {
      const { info } = log;
      info('works unbound');
      progress(10);
      step('s');
      merge({ a: 1 });
      throwIfCancelled();
    });
    expect(await probe.settled('destructured')).toMatchObject({
      latestMessage: 'works unbound',
      metadata: { a: 1 },
      step: 's',
    });

    const decorate = TrackedActivity() as (target: object, key: string, descriptor?: PropertyDescriptor) => void;
    class Odd {
      static fixed(): void {}
      get value(): number {
        return 1;
      }
    }
    expect(() => decorate(Odd.prototype, 'arrow')).toThrow(/Odd\.arrow, a property.*arrow function/s);
    expect(() => decorate(Odd, 'fixed', Object.getOwnPropertyDescriptor(Odd, 'fixed'))).toThrow(/static/);
    expect(() => decorate(Odd.prototype, 'value', Object.getOwnPropertyDescriptor(Odd.prototype, 'value'))).toThrow(
      /getter/,
    );
  });

  it('says what to set where the compiler makes standard decorators', () => {
    const standard = TrackedActivity() as unknown as (method: object, context: object) => void;
    expect(() => standard(() => undefined, { kind: 'method', name: 'work' })).toThrow(/"experimentalDecorators": true/);
  });

  it('keeps name, length and metadata of the method', () => {
    class Kept {
      async named(_a: string, _b: number): Promise<void> {}
    }
    const original = Object.getOwnPropertyDescriptor(Kept.prototype, 'named')!;
    Reflect.defineMetadata('some:key', 'value', original.value as object);
    TrackedActivity()(Kept.prototype, 'named', original);
    expect(original.value).toHaveProperty('name', 'named');
    expect(original.value).toHaveProperty('length', 2);
    expect(Reflect.getMetadata('some:key', original.value as object)).toBe('value');
  });
});

describe('without the tracker', () => {
  it('runs untracked and quietly in a unit test, with a context that keeps nothing', async () => {
    class Alone {
      @TrackedActivity()
      async work(): Promise<boolean> {
        return currentActivity().tracked;
      }
    }
    expect(await new Alone().work()).toBe(false);
  });
});
