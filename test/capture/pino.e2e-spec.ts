import { Logger, type LoggerService } from '@nestjs/common';
import { captureLine } from 'nestjs-activity';
import { captureActivityLogs } from 'nestjs-activity/pino';
import { pino, type Logger as PinoLogger, type LoggerOptions } from 'pino';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

/** A logger, and what it has written. */
function written<Levels extends string = never>(options?: LoggerOptions<Levels>) {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { lines, logger: pino(options ?? {}, stream) };
}

describe('lines of pino', () => {
  const captured = async (work: () => unknown, app = trackedApp({})) => {
    const { activities, probe } = await app;
    await activities.run({ type: 'x' }, work);
    const { id } = await probe.settled('x');
    return (await activities.messages(id)).map(({ level, text }) => [level, text]);
  };

  it('[F39] become lines of the activity around them, with their levels', async () => {
    const { logger } = written(captureActivityLogs({ level: 'trace' }));
    const lines = await captured(() => {
      logger.trace('a');
      logger.debug('b');
      logger.info('c');
      logger.warn('d');
      logger.error('e');
      logger.fatal('f');
    });
    expect(lines).toEqual([
      ['debug', 'a'],
      ['debug', 'b'],
      ['info', 'c'],
      ['warn', 'd'],
      ['error', 'e'],
      ['error', 'f'],
    ]);
  });

  it('have their formats, bindings, serializers, prefix and errors', async () => {
    const options = { serializers: { user: (user: { name: string }) => user.name } };
    const { logger } = written(captureActivityLogs(options));
    const failure = Object.assign(new Error('no route', { cause: new Error('unplugged') }), { code: 'EHOST' });
    const lines = await captured(() => {
      logger.info('%s of %d, %j', 'one', 2, { three: 3 });
      const child = logger.child({ context: 'UsersService', tenant: 7, req: { url: '/' } }, { msgPrefix: 'sync: ' });
      child.info({ user: { name: 'ada', secret: 1 } }, 'hello');
      child.child({ deeper: true }).warn('world');
      logger.error(failure);
      logger.error({ err: failure, attempt: 2 }, 'gave up');
      logger.info({ only: 'fields' });
    });
    expect(lines.map(([, text]) => text)).toEqual([
      'one of 2, {"three":3}',
      '[UsersService] sync: hello {"tenant":7,"user":"ada"}',
      '[UsersService] sync: world {"tenant":7,"deeper":true}',
      expect.stringMatching(/^no route/),
      expect.stringMatching(/^gave up \{"attempt":2,"err":\{.*"code":"EHOST".*\}\}\nError: no route/),
      '{"only":"fields"}',
    ]);
    expect(lines[3]?.[1]).toMatch(/\n {4}at .*pino\.e2e-spec[^]*caused by: Error: unplugged/);
  });

  it('keep to the level and the redaction of the logger, and to the redaction of the application', async () => {
    const { logger, lines: own } = written(captureActivityLogs({ level: 'warn', redact: ['card'] }));
    const lines = await captured(() => {
      logger.info('not written');
      logger.warn({ card: '1234', password: 'hunter2' }, 'paid');
      logger.child({}, { level: 'debug' }).debug('of a child that says more');
    });
    expect(lines).toEqual([
      ['warn', 'paid {"card":"[Redacted]","password":"[redacted]"}'],
      ['debug', 'of a child that says more'],
    ]);
    // What pino writes stays as it is.
    expect(own[0]).toMatchObject({ level: 40, card: '[Redacted]', password: 'hunter2', msg: 'paid' });
  });

  it('take custom levels by their number, also where a formatter writes something else', async () => {
    const levels = { customLevels: { audit: 35, chatter: 15, alarm: 55 }, level: 'chatter' };
    for (const formatters of [{}, { level: (label: string) => ({ severity: label.toUpperCase() }) }]) {
      const { logger, lines: own } = written<'audit' | 'chatter' | 'alarm'>(
        captureActivityLogs({ ...levels, formatters }),
      );
      const lines = await captured(() => {
        logger.audit('a');
        logger.chatter('b');
        logger.alarm('c');
        logger.warn('d');
      });
      expect(lines.map(([level]) => level)).toEqual(['info', 'debug', 'error', 'warn']);
      expect(lines.every(([, text]) => /^[a-d]/.test(text!))).toBe(true);
      expect(own).toHaveLength(4);
    }
  });

  it('keep the hooks, keys and mixins that the options have', async () => {
    const seen: string[] = [];
    const { logger, lines: own } = written(
      captureActivityLogs({
        messageKey: 'message',
        errorKey: 'error',
        mixin: () => ({ mixed: 1 }),
        formatters: { level: (label) => ({ level: label }) },
        hooks: {
          logMethod(args, method, level) {
            seen.push(`method ${level}`);
            method.apply(this, args);
          },
          streamWrite: (line) => {
            seen.push('stream');
            return line.replace('Ω', 'masked');
          },
        },
      }),
    );
    const lines = await captured(() => {
      logger.warn('a Ω');
      logger.error(new Error('b'));
    });
    expect(seen).toEqual(['method 40', 'stream', 'method 50', 'stream']);
    expect(lines[0]).toEqual(['warn', 'a masked {"mixed":1}']);
    expect(lines[1]?.[1]).toMatch(/^b \{"mixed":1\}\nError: b\n/);
    expect(own.map((line) => [line['level'], line['message']])).toEqual([
      ['warn', 'a masked'],
      ['error', 'b'],
    ]);
  });

  it('[F39] of two activities at once go to their own each, through pino and through Nest', async () => {
    const { logger } = written(captureActivityLogs());
    const nest = new Logger('Svc');
    const { activities, probe } = await trackedApp({}, { activity: { captureLogs: true } });
    const turns = Array.from({ length: 4 }, () => deferred());
    const work = (user: string) => async () => {
      for (const { promise } of turns) {
        logger.info(`pino ${user}`);
        nest.log(`nest ${user}`);
        await promise;
      }
    };
    const both = ['ada', 'grace'].map((user) => activities.run({ type: 'x' }, work(user)));
    for (const { resolve } of turns) {
      resolve();
      await new Promise((next) => setImmediate(next));
    }
    await Promise.all(both);
    const logs = await Promise.all((await probe.rows()).map(({ id }) => probe.lines(id)));
    const expected = (user: string) => turns.flatMap(() => [`pino ${user}`, `[Svc] nest ${user}`]);
    expect(logs).toEqual(expect.arrayContaining([expected('ada'), expected('grace')]));
  });

  it("are captured once where Nest's Logger writes through pino, as it does with nestjs-pino", async () => {
    const { logger, lines: own } = written(captureActivityLogs({ level: 'debug' }));
    const nest = new Logger('Svc');
    const work = (): void => {
      nest.log('by Nest');
      logger.info('by pino');
      new Logger('Activity').log('of the tracker');
    };
    for (const captureLogs of [true, false]) {
      const app = trackedApp({}, { activity: { captureLogs }, configure: (it) => it.useLogger(new OverPino(logger)) });
      expect(await captured(work, app)).toEqual([
        ['info', '[Svc] by Nest'],
        ['info', 'by pino'],
      ]);
    }
    expect(own.filter(({ msg }) => msg === 'by Nest')).toHaveLength(2);
  });

  it('go nowhere outside of an activity, nor once it has ended', async () => {
    const { logger, lines: own } = written(captureActivityLogs());
    const { activities, probe } = await trackedApp({});
    const late = deferred();
    let said: Promise<void> | undefined;
    await activities.run({ type: 'x' }, () => {
      logger.info('within');
      said = late.promise.then(() => logger.info('late'));
    });
    logger.info('after');
    late.resolve();
    await said;
    expect(await probe.lines((await probe.only()).id)).toEqual(['within']);
    expect(own.map(({ msg }) => msg)).toEqual(['within', 'after', 'late']);
  });

  it('of other loggers can be captured by hand', async () => {
    let made = 0;
    const text = (): string => `made ${++made}`;
    captureLine('info', text);
    expect(made).toBe(0);
    const lines = await captured(() => {
      captureLine('warn', text);
      captureLine('info', 'given');
      captureLine('info', () => {
        throw new Error('no');
      });
    });
    expect(lines).toEqual([
      ['warn', 'made 1'],
      ['info', 'given'],
      ['info', '[a line that cannot be shown]'],
    ]);
  });
});

/** What the Logger of nestjs-pino does: the last parameter is the context, a binding of the line. */
class OverPino implements LoggerService {
  constructor(private readonly writer: PinoLogger) {}
  log = (message: unknown, context?: string): void => this.writer.info({ context }, String(message));
  warn = (message: unknown, context?: string): void => this.writer.warn({ context }, String(message));
  error = (message: unknown, context?: string): void => this.writer.error({ context }, String(message));
  debug = (message: unknown, context?: string): void => this.writer.debug({ context }, String(message));
}
