import { Controller, Get, Injectable } from '@nestjs/common';
import { ActivityModule, TrackedActivity, type ActivityOptions } from 'nestjs-activity';
import request from 'supertest';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describe('options as functions of the call', () => {
  @Injectable()
  class Service {
    @TrackedActivity({
      type: 'asked',
      title: async ({ args: [first] }) => `about ${String(first)}`,
      resource: ({ args, methodName, className }) => ({ type: className, id: `${methodName}/${String(args[0])}` }),
      metadata: ({ args }) => ({ count: args.length }),
    })
    async asked(_id: string): Promise<string> {
      return 'ran';
    }

    @TrackedActivity({
      type: 'broken',
      resource: ({ args }) => ({ type: 'x', id: (args[0] as { id: string }).id }),
      actor: () => Promise.reject(new Error('no directory')),
      timeout: () => -5,
    })
    async broken(_order?: { id: string }): Promise<string> {
      return 'ran all the same';
    }

    @TrackedActivity({ type: 'unlimited', limit: ({ args: [max] }) => ({ key: 'k', max: max as number }) })
    async limited(_max: unknown): Promise<string> {
      return 'ran';
    }
  }

  it('are asked and awaited with the call', async () => {
    const { get, probe } = await trackedApp({ providers: [Service] });
    await get(Service).asked('7');
    expect(await probe.only()).toMatchObject({
      title: 'about 7',
      resource: { type: 'Service', id: 'asked/7' },
      metadata: { count: 1 },
    });
  });

  it('[C47] do not break the call when they throw, reject or give what is not allowed, and the log says so', async () => {
    const { get, probe, activities, log } = await trackedApp({ providers: [Service] });
    activities.on(() => Promise.reject(new Error('a listener that rejects')));
    activities.on(() => {
      throw new Error('a listener that throws');
    });
    expect(await get(Service).broken()).toBe('ran all the same');
    const row = await probe.only();
    expect(row).toMatchObject({ status: 'succeeded', resource: null, actor: null, warningCount: 3 });
    const lines = await probe.lines(row.id);
    expect(lines).toEqual([
      expect.stringMatching(/`resource` of broken is left out.*undefined/),
      expect.stringMatching(/`actor` of broken is left out.*no directory/),
      expect.stringMatching(/`timeout` of broken is left out.*-5.*positive/),
    ]);
    const errors = log.lines.filter(({ level }) => level === 'error').map(({ text }) => text);
    expect(errors).toContainEqual(expect.stringContaining('a listener that rejects'));
    expect(errors).toContainEqual(expect.stringContaining('a listener that throws'));
  });

  it.each([Number.NaN, 0, -1, '2', Infinity, 1.5, null])(
    '[C98] refuse the call where they give a limit of %p: it must not run unlimited',
    async (max) => {
      const { get, probe } = await trackedApp({ providers: [Service] });
      await expect(get(Service).limited(max)).rejects.toThrow(
        /`limit` of unlimited: `max` is .*: it must be a whole number/,
      );
      expect(await get(Service).limited(1)).toBe('ran');
      expect((await probe.rows()).map(({ status }) => status)).toEqual(['succeeded']);
    },
  );

  it('take the actor from `request.user` where nothing else is said', async () => {
    @Controller()
    class Who {
      @Get('who')
      @TrackedActivity({ type: 'who' })
      async who() {
        return 'ok';
      }
    }
    const users = [{ sub: 42, name: 'Ada' }, 'bob', { id: '' }, undefined];
    const { app, probe } = await trackedApp(
      { controllers: [Who] },
      {
        configure: (application) => {
          application.use((asked: { user?: unknown }, _answer: unknown, next: () => void) => {
            asked.user = users.shift();
            next();
          });
        },
      },
    );
    for (let n = 0; n < 4; n++) await request(app.getHttpServer()).get('/who').expect(200);
    expect((await probe.rows()).map(({ actor }) => actor)).toEqual([
      { id: '42', name: 'Ada' },
      { id: 'bob', name: null },
      null,
      null,
    ]);
  });
});

describe('bad options', () => {
  it.each<[string, object, RegExp]>([
    ['an unknown name', { type: 'x', timout: 5 }, /unknown option `timout` \(allowed: type, title, /],
    ['a missing type', {}, /`type` is missing/],
    [
      'a limit that is no number [C98]',
      { type: 'x', limit: { key: 'k', max: Number.NaN } },
      /`limit\.max` is NaN: it must be a whole number of at least 1/,
    ],
    ['a limit of text', { type: 'x', limit: { key: 'k', max: '2' } }, /`limit\.max` is "2"/],
    ['a limit without end', { type: 'x', limit: { key: 'k', max: Infinity } }, /`limit\.max` is Infinity/],
    [
      'a negative timeout',
      { type: 'x', timeout: -1 },
      /`timeout` is -1: it must be a positive number of milliseconds or text such as "30s"/,
    ],
    ['a timeout of words', { type: 'x', timeout: 'soon' }, /`timeout` is "soon"/],
    ['a bad batch', { type: 'x', batchId: '../x' }, /`batchId` is "\.\.\/x": it must be 1 to 64 characters/],
    [
      'an unknown policy',
      { type: 'x', onStoreFailure: 'ignore' },
      /`onStoreFailure` is "ignore": it must be one of 'run', 'reject'/,
    ],
    [
      'an actor without an id',
      { type: 'x', actor: { name: 'Ada' } },
      /`actor` is an object: it must be \{ id, name\? \}/,
    ],
  ])('are refused before anything is written: %s', async (_what, options, message) => {
    const { activities, probe } = await trackedApp({});
    let called = false;
    await expect(activities.run(options as ActivityOptions, () => (called = true))).rejects.toMatchObject({
      code: 'ACTIVITY_OPTION_INVALID',
      message: expect.stringMatching(message) as string,
    });
    expect(called).toBe(false);
    expect(await probe.rows()).toEqual([]);
  });

  it.each<[object, RegExp]>([
    [{ limit: { key: 'k', max: 0 } }, /@TrackedActivity on Bad\.work: `limit\.max` is 0/],
    [{ returns: 'array' }, /`returns` is "array": it must be one of 'promise', 'observable', 'asyncIterable'/],
    [{ timeout: '-3s' }, /`timeout` is "-3s"/],
    [{ nonsense: 1 }, /unknown option `nonsense`/],
  ])('of a decorator are refused when the class is defined: %j', (options, message) => {
    expect(() => {
      class Bad {
        @TrackedActivity(options)
        async work(): Promise<void> {}
      }
      return Bad;
    }).toThrow(message);
  });

  it.each<[object, RegExp]>([
    [
      { migrations: 'maybe' },
      /ActivityModule options: `migrations` is "maybe": it must be one of 'run', 'check', 'off'/,
    ],
    [{ cancelGrace: 0 }, /`cancelGrace` is 0/],
    [{ tablePrefix: 'a; DROP' }, /`tablePrefix` is "a; DROP"/],
    [{ retention: { maxCount: -1 } }, /`retention/],
    [{ leases: '30s' }, /unknown option `leases` \(allowed: dataSource, /],
  ])('of the module are refused at start: %j', async (activity, message) => {
    await expect(trackedApp({ imports: [ActivityModule] }, { activity })).rejects.toThrow(message);
  });
});

describe('bad queries', () => {
  it.each<[object, RegExp]>([
    [{ status: 'sucess' }, /sucess/],
    [{ limit: 0 }, /`limit` is 0: it must be .*1 to 200/],
    [{ limit: Number.NaN }, /`limit` is NaN/],
    [{ cursor: 'not-a-cursor' }, /`cursor`/],
    [{ createdFrom: new Date('abc') }, /`createdFrom`/],
  ])('name what is wrong: %j', async (query, message) => {
    const { activities } = await trackedApp({});
    await expect(activities.list(query)).rejects.toMatchObject({
      code: 'ACTIVITY_QUERY_INVALID',
      message: expect.stringMatching(message) as string,
    });
  });

  it('[C76] mean everything only when told so, and null only where it is asked for', async () => {
    const { activities } = await trackedApp({});
    await activities.run({ type: 'in batch', batchId: 'b' }, () => 1);
    await activities.run({ type: 'alone' }, () => 1);
    const types = async (query: object) => (await activities.list(query)).items.map(({ type }) => type);
    expect(await types({})).toEqual(['alone', 'in batch']);
    expect(await types({ batchId: undefined, resourceId: undefined })).toEqual(['alone', 'in batch']);
    expect(await types({ batchId: null })).toEqual(['alone']);
    await expect(activities.clearHistory({})).rejects.toMatchObject({ code: 'ACTIVITY_QUERY_INVALID' });
    const handle = await activities.start({ type: 'running' });
    expect(await activities.clearHistory({ all: true })).toBe(2);
    expect(await types({})).toEqual(['running']);
    await handle.succeed();
  });

  it('say that an id is not known, whatever it looks like', async () => {
    const { activities } = await trackedApp({});
    for (const id of ['abc', 'x'.repeat(5_000), "'; DROP TABLE activities", '']) {
      expect(await activities.get(id)).toBeNull();
      await expect(activities.cancel(id)).rejects.toMatchObject({ code: 'ACTIVITY_NOT_FOUND' });
      await expect(activities.messages(id)).rejects.toMatchObject({ code: 'ACTIVITY_NOT_FOUND' });
    }
  });
});
