import { EventEmitter } from 'node:events';
import { ConsoleLogger, Injectable, Logger, type LoggerService } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  ActivityModule,
  ActivityService,
  TrackedActivity,
  currentActivity,
  type ActivityModuleOptions,
} from 'nestjs-activity';
import { deferred } from '../support/deferred.js';
import { closeApps, KeptLog, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

/** Takes every call of the app's log as it comes. */
class KeptCalls implements LoggerService {
  readonly calls: unknown[][] = [];
  log = (...args: unknown[]): void => void this.calls.push(['log', ...args]);
  warn = (...args: unknown[]): void => void this.calls.push(['warn', ...args]);
  error = (...args: unknown[]): void => void this.calls.push(['error', ...args]);
  debug = (...args: unknown[]): void => void this.calls.push(['debug', ...args]);
  verbose = (...args: unknown[]): void => void this.calls.push(['verbose', ...args]);
  fatal = (...args: unknown[]): void => void this.calls.push(['fatal', ...args]);
}

@Injectable()
class UsersService {
  private readonly logger = new Logger(UsersService.name);

  @TrackedActivity({ type: 'users.sync' })
  async sync(user: string, turns: readonly PromiseLike<void>[] = []): Promise<void> {
    for (const [index, turn] of turns.entries()) {
      this.logger.log(`${user} ${index}`);
      await turn;
    }
    this.logger.log(`${user} done`);
  }
}

describe("lines of Nest's Logger", () => {
  const captured = async (activity: ActivityModuleOptions, work: () => unknown, logger?: LoggerService) => {
    const { activities, probe } = await trackedApp(
      {},
      { activity, configure: (app) => logger && app.useLogger(logger) },
    );
    await activities.run({ type: 'x' }, work);
    const { id } = await probe.settled('x');
    return (await activities.messages(id)).map(({ level, text, source }) => [level, text, source]);
  };
  const logger = new Logger('UsersService');

  it('[F39] become lines of the activity around them, without code, with their levels and contexts', async () => {
    const stack = 'Error: no\n    at sync (/app/users.js:3:7)';
    const kept = new KeptCalls();
    const lines = await captured(
      { captureLogs: true },
      () => {
        logger.verbose('a');
        logger.debug('b');
        logger.log('c');
        logger.warn('d');
        logger.error('e');
        logger.error('f', stack);
        logger.fatal('g');
        Logger.log('h');
        Logger.warn('i', 'Elsewhere');
        Logger.error('j', stack, 'Elsewhere');
      },
      kept,
    );
    expect(lines).toEqual([
      ['debug', '[UsersService] a', 'log'],
      ['debug', '[UsersService] b', 'log'],
      ['info', '[UsersService] c', 'log'],
      ['warn', '[UsersService] d', 'log'],
      ['error', '[UsersService] e', 'log'],
      ['error', `[UsersService] f\n${stack}`, 'log'],
      ['error', '[UsersService] g', 'log'],
      ['info', 'h', 'log'],
      ['warn', '[Elsewhere] i', 'log'],
      ['error', `[Elsewhere] j\n${stack}`, 'log'],
    ]);
    // What the app's own logger is given is what it would be given without the capture.
    expect(kept.calls.filter(([, , ...rest]) => rest.at(-1) !== 'Activity').slice(-10)).toEqual([
      ['verbose', 'a', 'UsersService'],
      ['debug', 'b', 'UsersService'],
      ['log', 'c', 'UsersService'],
      ['warn', 'd', 'UsersService'],
      ['error', 'e', undefined, 'UsersService'],
      ['error', 'f', stack, 'UsersService'],
      ['fatal', 'g', 'UsersService'],
      ['log', 'h'],
      ['warn', 'i', 'Elsewhere'],
      ['error', 'j', stack, 'Elsewhere'],
    ]);
  });

  it('are formatted as Nest does, without secrets, and what cannot be shown says so', async () => {
    let calls = 0;
    const bad = {
      get [Symbol.toStringTag]() {
        throw new Error('no');
      },
    };
    const lines = await captured(
      { captureLogs: true },
      () => {
        logger.log({ user: 'ada', password: 'hunter2' });
        logger.log('signed in', { user: 'ada', token: 'abc' });
        logger.log('two', 'lines');
        logger.log(() => `lazy ${++calls}`);
        logger.log(UsersService);
        logger.warn('token=abc');
        logger.log(bad);
      },
      new KeptCalls(),
    );
    expect(lines.map(([, text]) => text)).toEqual([
      expect.stringMatching(/^\[UsersService\] Object\(2\) \{\s*user: 'ada',\s*password: '\[redacted\]'\s*\}$/),
      "[UsersService] signed in { user: 'ada', token: '[redacted]' }",
      '[UsersService] two',
      '[UsersService] lines',
      '[UsersService] lazy 1',
      '[UsersService] UsersService',
      '[UsersService] token=[redacted]',
      '[a line that cannot be shown]',
    ]);
    expect(calls).toBe(1);
  });

  it('are captured once, whatever the app logs with: also where one of its own prints them', async () => {
    class Own extends ConsoleLogger {
      protected override printMessages(): void {}
      protected override printStackTrace(): void {}
    }
    const own = new Own('Own');
    const work = (): void => {
      logger.log('by Nest');
      own.log('by its own');
    };
    const expected = [
      ['info', '[UsersService] by Nest', 'log'],
      ['info', '[Own] by its own', 'log'],
    ];
    expect(await captured({ captureLogs: true }, work, own)).toEqual(expected);
    expect(await captured({ captureLogs: true }, () => (work(), Logger.overrideLogger(false)))).toEqual(expected);
    expect(await captured({ captureLogs: true }, work)).toEqual(expected);
  });

  it('are captured when they are written, not when a buffer prints them', async () => {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
        ActivityModule.forRoot({ captureLogs: true }),
      ],
    }).compile();
    const app = module.createNestApplication({ bufferLogs: true });
    const kept = new KeptLog();
    try {
      await module.init();
      const activities = app.get(ActivityService);
      Logger.attachBuffer();
      const first = await activities.start({ type: 'x' });
      first.within(() => logger.log('buffered'));
      await first.succeed();
      app.useLogger(kept);
      const second = await activities.start({ type: 'y' });
      second.within(() => Logger.flush());
      await second.succeed();
      expect((await activities.messages(first.id)).map(({ text }) => text)).toEqual(['[UsersService] buffered']);
      expect(await activities.messages(second.id)).toEqual([]);
      expect(kept.lines.map(({ text }) => text)).toContain('buffered');
    } finally {
      Logger.detachBuffer();
      await app.close();
    }
  });

  it('[F39] of two activities at once go to their own each', async () => {
    const { get, probe } = await trackedApp({ providers: [UsersService] }, { activity: { captureLogs: true } });
    const turns = Array.from({ length: 5 }, () => deferred());
    const promises = turns.map(({ promise }) => promise);
    const both = [get(UsersService).sync('ada', promises), get(UsersService).sync('grace', promises)];
    for (const { resolve } of turns) {
      resolve();
      await new Promise((next) => setImmediate(next));
    }
    await Promise.all(both);
    const logs = await Promise.all((await probe.rows()).map(({ id }) => probe.lines(id)));
    const linesOf = (user: string) => [0, 1, 2, 3, 4, 'done'].map((n) => `[UsersService] ${user} ${n}`);
    expect(logs).toEqual(expect.arrayContaining([linesOf('ada'), linesOf('grace')]));
  });

  it('go to the innermost activity, and to none once it has ended or outside of one', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { captureLogs: true } });
    const late = deferred();
    let said: Promise<void> | undefined;
    logger.log('before');
    await activities.run({ type: 'outer' }, async () => {
      logger.log('outer');
      await activities.run({ type: 'inner' }, () => logger.log('inner'));
      logger.log('outer again');
      said = late.promise.then(() => logger.log('late'));
    });
    logger.log('after');
    late.resolve();
    await said;
    const [outer, inner] = await probe.rows();
    expect(await probe.lines(outer!.id)).toEqual(['[UsersService] outer', '[UsersService] outer again']);
    expect(await probe.lines(inner!.id)).toEqual(['[UsersService] inner']);
    expect(outer!.messageCount).toBe(2);
  });

  it('written by a listener or a pool go where its callback runs, and an explicit context goes to its own', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { captureLogs: true } });
    const emitter = new EventEmitter();
    const opened = deferred();
    // As a pool does: the connection was opened by one activity, and calls back in its context.
    let ask!: () => void;
    const first = activities.run({ type: 'first' }, async () => {
      const asked = new Promise<void>((resolve) => (ask = resolve));
      void asked.then(() => emitter.emit('answer'));
      opened.resolve();
      await new Promise((resolve) => emitter.once('answered', resolve));
    });
    await opened.promise;
    await activities.run({ type: 'second' }, async ({ log, writer }) => {
      const out = writer();
      emitter.once('answer', () => {
        logger.log('whoever it was');
        log.info('said to the second');
        out.write('written for the second\n');
        emitter.emit('answered');
      });
      ask();
      await first;
    });
    const lines = async (type: string) => probe.lines((await probe.settled(type)).id);
    expect(await lines('first')).toEqual(['[UsersService] whoever it was']);
    expect(await lines('second')).toEqual(['said to the second', 'written for the second']);
  });

  it('are chosen by level and context', async () => {
    const work = (): void => {
      logger.debug('a');
      logger.warn('b');
      Logger.warn('c', 'Noisy');
      Logger.error('d');
    };
    const texts = async (captureLogs: ActivityModuleOptions['captureLogs']) =>
      (await captured({ captureLogs }, work)).map(([, text]) => text);
    expect(await texts({ levels: ['warn', 'error'] })).toEqual(['[UsersService] b', '[Noisy] c', 'd']);
    expect(await texts({ exclude: ['Noisy'] })).toEqual(['[UsersService] a', '[UsersService] b', 'd']);
    expect(await texts({ contexts: ['UsersService'] })).toEqual(['[UsersService] a', '[UsersService] b']);
    expect(await texts({})).toHaveLength(4);
    expect(await texts(false)).toEqual([]);
    expect((await captured({}, work)).length).toBe(0);
  });

  it("of the tracker itself, and those of another application's activities, are not captured", async () => {
    const capturing = await trackedApp({}, { activity: { captureLogs: { levels: ['log'] } } });
    const other = await trackedApp({}, { activity: { captureLogs: { levels: ['warn'] } } });
    const neither = await trackedApp({});
    const say = (): void => {
      logger.log('one');
      logger.warn('two');
      new Logger('Activity').log('own');
    };
    await capturing.activities.run({ type: 'x' }, async () => {
      say();
      await other.activities.run({ type: 'x' }, say);
      await neither.activities.run({ type: 'x' }, say);
    });
    const lines = await Promise.all(
      [capturing, other, neither].map(async ({ probe }) => probe.lines((await probe.only()).id)),
    );
    expect(lines).toEqual([['[UsersService] one'], ['[UsersService] two'], []]);
  });

  it('reach a logger that throws as they did, and the activity all the same', async () => {
    const failure = new Error('the disk is full');
    const kept = new KeptCalls();
    const lines = await captured(
      { captureLogs: true },
      () => {
        kept.log = () => {
          throw failure;
        };
        expect(() => logger.log('a')).toThrow(failure);
        expect(currentActivity().tracked).toBe(true);
        logger.warn('b');
        delete (kept as { log?: unknown }).log;
        kept.log = () => undefined;
      },
      kept,
    );
    expect(lines.map(([, text]) => text)).toEqual(['[UsersService] a', '[UsersService] b']);
  });

  it('are heard by functions that are put in once, and taken back when the last application has closed', async () => {
    const methods = () =>
      [Logger, Logger.prototype, ConsoleLogger.prototype].flatMap((of) => [of.log, of.error, of.fatal]);
    const before = methods();
    const first = await trackedApp({}, { activity: { captureLogs: true } });
    const replaced = methods();
    expect(replaced.every((method, index) => method !== before[index])).toBe(true);
    const second = await trackedApp({}, { activity: { captureLogs: true } });
    expect(methods()).toEqual(replaced);
    await first.app.close();
    expect(methods()).toEqual(replaced);
    await second.activities.run({ type: 'x' }, () => logger.log('still'));
    expect(await second.probe.lines((await second.probe.only()).id)).toEqual(['[UsersService] still']);
    await second.app.close();
    expect(methods()).toEqual(before);
  });

  it('leave in place what somebody else has put around them', async () => {
    const original = Object.getOwnPropertyDescriptor(Logger.prototype, 'log')!;
    const { app } = await trackedApp({}, { activity: { captureLogs: true } });
    const ours = Logger.prototype.log;
    const theirs = function (this: Logger, ...args: [unknown]): void {
      ours.apply(this, args);
    };
    Logger.prototype.log = theirs;
    try {
      await app.close();
      expect(Logger.prototype.log).toBe(theirs);
      expect(await captured({ captureLogs: true }, () => logger.log('once'))).toEqual([
        ['info', '[UsersService] once', 'log'],
      ]);
    } finally {
      Object.defineProperty(Logger.prototype, 'log', original);
    }
  });

  it.each<[unknown, string]>([
    ['all', '`captureLogs` is "all": it must be true, false or { levels?, contexts?, exclude? }'],
    [
      { levels: ['info'] },
      "`captureLogs.levels.0` is \"info\": it must be one of 'verbose', 'debug', 'log', 'warn', 'error', 'fatal'",
    ],
    [{ level: ['log'] }, 'unknown option `captureLogs.level`'],
  ])('refuses to start with %j', async (captureLogs, message) => {
    await expect(trackedApp({}, { activity: { captureLogs } as ActivityModuleOptions })).rejects.toThrow(message);
  });
});
