import { Readable } from 'node:stream';
import { ReadableStream, type ReadableByteStreamController } from 'node:stream/web';
import { text } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { TrackedActivity, currentActivity } from 'nestjs-activity';
import {
  EMPTY,
  NEVER,
  Observable,
  TimeoutError,
  VirtualTimeScheduler,
  concat,
  interval,
  lastValueFrom,
  of,
  take,
  throwError,
  timeout,
  toArray,
} from 'rxjs';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

@Injectable()
class Sources {
  readonly ids: string[] = [];
  subscriptions = 0;
  cleanedUp = 0;
  readonly never = deferred();

  private note<T>(value: T): T {
    this.ids.push(currentActivity().id);
    return value;
  }

  async *lines(): AsyncGenerator<string> {
    try {
      for (const line of ['a', 'b', 'c']) {
        currentActivity().log.info(line);
        yield this.note(line);
      }
    } finally {
      this.cleanedUp++;
    }
  }

  @TrackedActivity({ type: 'promised-generator' })
  async promisedGenerator(): Promise<AsyncGenerator<string>> {
    return this.lines();
  }

  @TrackedActivity({ type: 'parked', cancelGrace: 50 })
  async parked(): Promise<AsyncGenerator<string>> {
    const { never } = this;
    return (async function* () {
      yield 'a';
      await never.promise;
    })();
  }

  @TrackedActivity({ type: 'iterable' })
  async iterable(frozen: boolean): Promise<AsyncIterable<string>> {
    let n = 0;
    const iterator = {
      next: async () => ({ done: n >= 3, value: this.note(String(n++)) }) as IteratorResult<string>,
    };
    const iterable = { own: true, [Symbol.asyncIterator]: () => iterator };
    return frozen ? Object.freeze(iterable) : iterable;
  }

  @TrackedActivity({ type: 'stream' })
  async stream(): Promise<Readable> {
    return Readable.from(this.lines());
  }

  @TrackedActivity({ type: 'web-stream' })
  async webStream(): Promise<ReadableStream<Uint8Array>> {
    let n = 0;
    return new ReadableStream<Uint8Array>({
      type: 'bytes',
      pull: (controller: ReadableByteStreamController) => {
        if (n++ === 3) {
          controller.close();
          controller.byobRequest?.respond(0);
        } else controller.enqueue(this.note(new TextEncoder().encode(`${n} `)));
      },
      cancel: () => void this.cleanedUp++,
    } as never);
  }

  @TrackedActivity({ type: 'observable' })
  observable(kind: 'five' | 'fails' | 'for-ever' | 'empty'): Observable<number> {
    const source = {
      five: interval(1).pipe(take(5)),
      fails: concat(
        of(1, 2),
        throwError(() => new Error('third')),
      ),
      'for-ever': NEVER,
      empty: EMPTY,
    }[kind];
    return new Observable<number>((subscriber) => {
      this.subscriptions++;
      return source.subscribe(subscriber).add(() => this.cleanedUp++);
    });
  }
}

describe('[F91] the result of a tracked method of a provider', () => {
  const start = async () => {
    const app = await trackedApp({ providers: [Sources] }, { activity: { cancelGrace: 200 } });
    return { ...app, sources: app.get(Sources) };
  };

  it('[C30] a promised generator: each line is its activity’s, and its `finally` runs once when a reader leaves', async () => {
    const { sources, probe } = await start();
    const read: string[] = [];
    for await (const line of await sources.promisedGenerator()) read.push(line);
    expect(read).toEqual(['a', 'b', 'c']);
    const whole = await probe.only();
    expect(sources.ids).toEqual([whole.id, whole.id, whole.id]);
    expect(await probe.lines(whole.id)).toEqual(['a', 'b', 'c']);
    expect(whole).toMatchObject({ status: 'succeeded' });
    sources.cleanedUp = 0;
    const some: string[] = [];
    for await (const line of await sources.promisedGenerator()) if (some.push(line) === 2) break;
    expect(sources.cleanedUp).toBe(1);
    const [, left] = await probe.rows();
    expect(left).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    expect(await probe.lines(left!.id)).toEqual(expect.arrayContaining(['a', 'b']) as string[]);
  });

  it('[C30] a generator that waits for ever when its reader leaves: ended within the grace', async () => {
    const { sources, probe } = await start();
    const generator = await sources.parked();
    await generator.next();
    const parked = generator.next().catch((error: unknown) => error);
    await generator.return(undefined);
    expect(await probe.settled('parked')).toMatchObject({ status: 'cancelled' });
    expect(await parked).toMatchObject({
      name: 'ActivityClientDisconnectedError',
      abortReason: 'client_disconnected',
    });
    sources.never.resolve();
  });

  it('a generator that is cancelled between two steps is closed, and its reader gets the reason', async () => {
    const { sources, probe, activities } = await start();
    const generator = await sources.promisedGenerator();
    await generator.next();
    const { id } = await probe.started('promised-generator');
    await activities.cancel(id, { wait: 'settled' });
    expect(sources.cleanedUp).toBe(1);
    await expect(generator.next()).rejects.toMatchObject({ abortReason: 'user' });
    expect(await generator.next()).toEqual({ done: true, value: undefined });
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('another async iterable, without `return`: the same object, also where it may not be changed', async () => {
    const { sources, probe } = await start();
    for (const frozen of [false, true]) {
      const iterable = await sources.iterable(frozen);
      expect('own' in iterable).toBe(!frozen);
      const read: string[] = [];
      for await (const value of iterable) read.push(value);
      expect(read).toEqual(['0', '1', '2']);
    }
    for await (const _ of await sources.iterable(false)) break;
    expect((await probe.rows()).map(({ status, reason }) => reason ?? status)).toEqual([
      'succeeded',
      'succeeded',
      'client_disconnected',
    ]);
  });

  it('a Node stream: read to its end, left, and not read at all', async () => {
    const { sources, probe } = await start();
    expect(await text(await sources.stream())).toBe('abc');
    const whole = await probe.settled('stream');
    expect(sources.ids).toEqual([whole.id, whole.id, whole.id]);
    sources.cleanedUp = 0;
    for await (const _ of await sources.stream()) break;
    await sources.stream();
    await probe.times('settled', 3);
    const rows = await probe.rows();
    expect(rows.map(({ status, reason }) => reason ?? status)).toEqual([
      'succeeded',
      'client_disconnected',
      'succeeded',
    ]);
    expect(rows[2]!.latestMessage).toContain('was not read');
    expect(sources.cleanedUp).toBe(1);
  });

  it('a web stream of bytes stays one: read to its end, into a buffer of the reader, cancelled by it, aborted', async () => {
    const { sources, probe, activities } = await start();
    expect(await new Response((await sources.webStream()) as never).text()).toBe('1 2 3 ');
    const whole = await probe.settled('web-stream');
    expect(new Set(sources.ids)).toEqual(new Set([whole.id]));
    const byob = (await sources.webStream()).getReader({ mode: 'byob' });
    let read = '';
    for (;;) {
      const { done, value } = await byob.read(new Uint8Array(8));
      if (done) break;
      read += Buffer.from(value).toString();
    }
    expect(read).toBe('1 2 3 ');
    const reader = (await sources.webStream()).getReader();
    await reader.read();
    await reader.cancel();
    const aborted = (await sources.webStream()).getReader();
    await aborted.read();
    const [running] = (await activities.list({ status: 'running' })).items;
    await activities.cancel(running!.id, { wait: 'settled' });
    await expect(aborted.read()).rejects.toMatchObject({ abortReason: 'user' });
    await probe.times('settled', 4);
    expect((await probe.rows()).map(({ status, reason }) => reason ?? status)).toEqual([
      'succeeded',
      'succeeded',
      'client_disconnected',
      'user',
    ]);
    expect(sources.cleanedUp).toBe(2);
  });

  it('[C28] an Observable: its last value, its error, a timeout from outside, EMPTY; subscribed once each', async () => {
    const { sources, probe } = await start();
    expect(await lastValueFrom(sources.observable('five').pipe(toArray()))).toHaveLength(5);
    await expect(lastValueFrom(sources.observable('fails'))).rejects.toThrow('third');
    const clock = new VirtualTimeScheduler();
    const late = lastValueFrom(sources.observable('for-ever').pipe(timeout({ each: 100, scheduler: clock })));
    await probe.times('started', 3);
    clock.flush();
    await expect(late).rejects.toThrow(TimeoutError);
    await lastValueFrom(sources.observable('empty'), { defaultValue: 0 });
    const never = sources.observable('for-ever').subscribe();
    await probe.times('started', 5);
    never.unsubscribe();
    await probe.times('settled', 5);
    expect((await probe.rows()).map(({ status, reason }) => reason ?? status)).toEqual([
      'succeeded',
      'error',
      'client_disconnected',
      'succeeded',
      'client_disconnected',
    ]);
    expect([sources.subscriptions, sources.cleanedUp]).toEqual([5, 5]);
  });
});
