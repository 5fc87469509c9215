import { getEventListeners } from 'node:events';
import { Injectable } from '@nestjs/common';
import { TrackedActivity, currentActivity, type ActivityContext } from 'nestjs-activity';
import { EMPTY, Observable, of } from 'rxjs';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

const limit = { key: 'k', max: 1 };

describe('a slot', () => {
  it('is held until the last of those that borrow it has left', async () => {
    const { activities, probe } = await trackedApp({});
    const childMayEnd = deferred();
    const { child } = await activities.run({ type: 'parent', limit }, async () => ({
      child: await activities.runInBackground({ type: 'child', limit }, () => childMayEnd.promise),
    }));
    const third = activities.run({ type: 'third', limit }, () => 'third');
    await probe.queued('third');
    expect((await probe.row(child.id)).status).toBe('running');
    childMayEnd.resolve();
    expect(await third).toBe('third');
    const ended = (await probe.settled('child')).endedAt!.getTime();
    expect((await probe.settled('third')).startedAt!.getTime()).toBeGreaterThanOrEqual(ended);
  });

  it('is given back when the call of a generator throws, before its first step', async () => {
    @Injectable()
    class Items {
      @TrackedActivity({ type: 'items', limit })
      async *items({ n }: { n: number }): AsyncGenerator<number> {
        yield n;
      }
    }
    const { get, probe } = await trackedApp({ providers: [Items] });
    const broken = get(Items).items(undefined as unknown as { n: number });
    await expect(broken.next()).rejects.toThrow(TypeError);
    expect(await broken.next()).toEqual({ done: true, value: undefined });
    expect(await probe.settled('items')).toMatchObject({ status: 'failed', reason: 'error' });
    for await (const n of get(Items).items({ n: 3 })) expect(n).toBe(3);
  });

  it('[C06] of a generator that ignores its signal is held until it has come back', async () => {
    const end = deferred();
    @Injectable()
    class Deaf {
      @TrackedActivity({ type: 'deaf', limit, cancelGrace: 30 })
      async *deaf(): AsyncGenerator<number> {
        yield 1;
        await end.promise;
      }
    }
    const { get, activities, probe } = await trackedApp({ providers: [Deaf] });
    const generator = get(Deaf).deaf();
    await generator.next();
    const parked = generator.next();
    await activities.cancel((await probe.started('deaf')).id);
    await expect(parked).rejects.toMatchObject({ abortReason: 'user' });
    expect(await probe.settled('deaf')).toMatchObject({ status: 'cancelled', reason: 'forced' });
    const next = activities.run({ type: 'next', limit }, () => 'ran');
    await probe.queued('next');
    end.resolve();
    expect(await next).toBe('ran');
  });

  it('of work that was settled without it is lent to what it still starts, which is aborted with it', async () => {
    const { activities, probe } = await trackedApp({});
    const goOn = deferred();
    const inner = deferred<unknown>();
    // Only the outer one: a grace that is over before the inner one has refused to begin would end it by force.
    const outer = activities.run({ type: 'outer', limit, cancelGrace: 20 }, async () => {
      await goOn.promise;
      inner.resolve(await activities.run({ type: 'inner', limit }, () => 'ran').catch((error: unknown) => error));
    });
    await activities.cancel((await probe.started('outer')).id);
    await expect(outer).rejects.toMatchObject({ abortReason: 'user' });
    const { id } = await probe.settled('outer');
    goOn.resolve();
    expect(await inner.promise).toMatchObject({ abortReason: 'parent' });
    expect(await probe.settled('inner')).toMatchObject({ status: 'cancelled', reason: 'parent', parentId: id });
  });
});

describe('an Observable', () => {
  @Injectable()
  class Streams {
    called = 0;
    @TrackedActivity({ type: 'limited', limit })
    limited(): Observable<number> {
      this.called++;
      return of(1);
    }
    @TrackedActivity({ type: 'free' })
    free(): Observable<number> {
      this.called++;
      return of(1);
    }
  }

  it('that is left before its start is not started', async () => {
    const { get, activities, probe } = await trackedApp({ providers: [Streams] });
    const end = deferred();
    const holder = activities.run({ type: 'holder', limit }, () => end.promise);
    await probe.started('holder');
    const waiting = get(Streams).limited().subscribe();
    await probe.queued('limited');
    waiting.unsubscribe();
    expect(await probe.settled('limited')).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    get(Streams).free().subscribe().unsubscribe();
    end.resolve();
    await holder;
    await activities.run({ type: 'after', limit }, () => 1);
    expect(get(Streams).called).toBe(0);
  });

  it('that nobody subscribes ends its activity after the grace, and so does a generator that nobody reads', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { cancelGrace: 20 } });
    await activities.run({ type: 'observable' }, () => EMPTY);
    await activities.run({ type: 'generator' }, async function* () {
      yield 1;
    });
    for (const type of ['observable', 'generator']) {
      expect(await probe.settled(type)).toMatchObject({ status: 'succeeded', warningCount: 1 });
    }
  });
});

describe('the end of a queued activity', () => {
  it('is told once, also when its cancel races the grant of its slot', async () => {
    const { activities, probe } = await trackedApp({});
    for (let round = 0; round < 30; round++) {
      const end = deferred();
      const holder = activities.run({ type: `holder ${round}`, limit }, () => end.promise);
      await probe.started(`holder ${round}`);
      const waits = activities.run({ type: `waits ${round}`, limit }, () => 'ran').catch((error: unknown) => error);
      const { id } = await probe.queued(`waits ${round}`);
      end.resolve();
      await activities.cancel(id).catch((error: unknown) => error);
      await Promise.all([holder, waits]);
      await probe.settled(id);
      expect(probe.count('settled', id)).toBe(1);
    }
  });
});

describe('a shutdown', () => {
  it('begins nothing that waits, and lets what runs start what it needs to finish', async () => {
    const { app, activities, probe } = await trackedApp({}, { activity: { shutdownGrace: '10s' } });
    const stopping = deferred();
    const events: string[] = [];
    activities.on(({ name, activity }) => {
      if (name === 'settled') events.push(`${activity.type} ${activity.status} ${activity.reason ?? ''}`.trim());
    });
    const running = activities.run({ type: 'a', limit }, async () => {
      await stopping.promise;
      return activities.run({ type: 'nested' }, () => 'nested ran');
    });
    await probe.started('a');
    let begun = false;
    const waiting = activities.run({ type: 'b', limit }, () => (begun = true)).catch((error: unknown) => error);
    await probe.queued('b');
    const closing = app.close();
    expect(await waiting).toMatchObject({ abortReason: 'shutdown' });
    stopping.resolve();
    expect(await running).toBe('nested ran');
    await closing;
    expect(begun).toBe(false);
    expect(events).toEqual(['b interrupted shutdown', 'nested succeeded', 'a succeeded']);
  });
});

describe('a context', () => {
  it('never throws into the work, whatever it is given', async () => {
    const { activities, probe } = await trackedApp({});
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const hostile = {
      get message(): string {
        throw new Error('no');
      },
      [Symbol.for('nodejs.util.inspect.custom')](): string {
        throw new Error('no');
      },
    };
    await activities.run({ type: 'x' }, ({ log, metadata }) => {
      log.info(hostile);
      log.info(proxy);
      metadata.merge({
        get bad(): string {
          throw new Error('unreadable');
        },
      });
      metadata.merge(Buffer.alloc(1_000) as unknown as Record<string, never>);
    });
    const { id } = await probe.only();
    expect(await probe.lines(id)).toEqual([
      '[a value that cannot be shown]',
      expect.any(String),
      'Metadata is left out: unreadable',
      'Metadata is left out: it is no plain object',
    ]);
  });

  it('sleeps for longer than a timer of Node reaches, without waking at once', async () => {
    const { activities, probe } = await trackedApp({});
    const sleeps = activities
      .run({ type: 'x' }, ({ sleep }) => sleep(30 * 24 * 3_600_000))
      .catch((error: unknown) => error);
    const { id } = await probe.started();
    await activities.run({ type: 'other' }, ({ sleep }) => sleep(20));
    expect((await probe.row(id)).status).toBe('running');
    await activities.cancel(id);
    expect(await sleeps).toMatchObject({ abortReason: 'user' });
  });

  it('settled as cancelled by hand tells what its signal says', async () => {
    const { activities, probe } = await trackedApp({});
    const handle = await activities.start({ type: 'x', timeout: 5 });
    await new Promise((resolve) => handle.signal.addEventListener('abort', resolve));
    expect(await handle.cancelled()).toBe(true);
    expect(await probe.only()).toMatchObject({ status: 'failed', reason: 'deadline' });
  });
});

describe('a signal of the app', () => {
  it('has one listener for all that follow it, and none when they have ended', async () => {
    const { activities } = await trackedApp({});
    const { signal } = new AbortController();
    const all = Array.from({ length: 50 }, async () => {
      const handle = await activities.start({ type: 'x', signal });
      activities.track(handle.id, signal);
      return handle;
    });
    const handles = await Promise.all(all);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const handle of handles) await handle.succeed();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('what a nested activity takes over', () => {
  it('is the actor and the batch of the one around it, unless it says that there is none', async () => {
    const { activities, probe } = await trackedApp({});
    await activities.run({ type: 'outer', actor: 'ada', batchId: 'b' }, async (outer: ActivityContext) => {
      await activities.run({ type: 'inherits' }, () => currentActivity().id);
      await activities.run({ type: 'none', actor: null, batchId: null }, () => 1);
      await activities.run({ type: 'named', parentId: outer.id.toUpperCase() }, () => 1);
    });
    const rows = await probe.rows();
    expect(rows.map(({ type, actor, batchId }) => [type, actor?.id ?? null, batchId])).toEqual([
      ['outer', 'ada', 'b'],
      ['inherits', 'ada', 'b'],
      ['none', null, null],
      ['named', 'ada', 'b'],
    ]);
    const children = await activities.list({ parentId: rows[0]!.id });
    expect(children.items).toHaveLength(3);
    await expect(activities.run({ type: 'x', parentId: 'abc' }, () => 1)).rejects.toThrow(/`parentId` is "abc"/);
  });
});

describe('a cancel', () => {
  it.each<[object, RegExp]>([
    [{ wait: 'nope' }, /`wait` is "nope": it must be one of 'requested', 'settled'/],
    [{ by: 5 }, /`by` is 5/],
    [{ by: {} }, /`by` is an object/],
    [{ reason: {} }, /`reason` is an object/],
    [{ because: 'x' }, /unknown option `because`/],
  ])('with a bad option is refused: %j', async (options, message) => {
    const { activities } = await trackedApp({});
    const handle = await activities.start({ type: 'x' });
    await expect(activities.cancel(handle.id, options)).rejects.toThrow(message);
    expect(handle.signal.aborted).toBe(false);
    await handle.succeed();
  });
});
