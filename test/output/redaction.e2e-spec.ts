import {
  ActivityCancelledError,
  type Activity,
  type ActivityContext,
  type ActivityEvent,
  type ActivityModuleOptions,
} from 'nestjs-activity';
import { QueryFailedError } from 'typeorm';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { deferred } from '../support/deferred.js';

afterEach(closeApps);

/** Stands in secrets only: it must not be anywhere in what is kept or told. */
const SECRET = 'ΩΩΩΩ';

describe('secrets', () => {
  it('[F41] stay out of every text and value of an activity, of its lines, and of what listeners are told', async () => {
    const { activities, probe } = await trackedApp({});
    const events: ActivityEvent[] = [];
    activities.on((event) => void events.push(event));
    const error = new Error(`login failed: password=${SECRET}`, { cause: new Error(`got Bearer ${SECRET}`) });
    const run = activities.run(
      {
        type: 'deploy',
        title: `deploy with token=${SECRET}`,
        metadata: { args: ['login', '--password', SECRET], nested: { apiKey: SECRET } },
      },
      ({ log, metadata, step, writer }) => {
        step(`connect to redis://:${SECRET}@cache`);
        metadata.merge({ headers: { Authorization: SECRET, accept: '*/*' } });
        log.info(`password: ${SECRET}`);
        log.warn({ user: { password: SECRET, name: 'ada' } });
        log.error(new Error(`secret=${SECRET}`));
        const out = writer({ source: 'stderr' });
        for (const piece of ['{"tok', 'en":', ` "${SECRET.slice(0, 2)}`, `${SECRET.slice(2)}"}\n`]) out.write(piece);
        out.end();
        throw error;
      },
    );
    // The caller gets the error as it was thrown.
    await expect(run).rejects.toBe(error);
    expect(error.message).toContain(SECRET);
    const row = await probe.settled('deploy');
    const messages = await activities.messages(row.id);
    const { items } = await activities.list();
    for (const kept of [row, messages, items, events]) expect(JSON.stringify(kept)).not.toContain('Ω');
    expect(row).toMatchObject({
      title: 'deploy with token=[redacted]',
      step: 'connect to redis://:[redacted]@cache',
      metadata: {
        args: ['login', '--password', '[redacted]'],
        nested: { apiKey: '[redacted]' },
        headers: { Authorization: '[redacted]', accept: '*/*' },
      },
      error: { message: 'login failed: password=[redacted]', causes: [{ message: 'got Bearer [redacted]' }] },
    });
    expect(row.error?.stack).toContain('redaction.e2e-spec');
    expect(messages.map(({ text }) => text)).toEqual([
      'password: [redacted]',
      "{ user: { password: '[redacted]', name: 'ada' } }",
      'secret=[redacted]',
      '{"token": "[redacted]"}',
      'login failed: password=[redacted] (got Bearer [redacted])',
    ]);
  });

  it('stay out of a kept result, and of what is thrown that is no error', async () => {
    const { activities, probe } = await trackedApp({});
    const result = { user: 'ada', session: { refreshToken: SECRET } };
    const given = await activities.run({ type: 'login', keepResult: true }, () => result);
    expect(given.session.refreshToken).toBe(SECRET);
    expect((await probe.settled('login')).result).toEqual({ user: 'ada', session: { refreshToken: '[redacted]' } });
    const thrown = { status: 401, password: SECRET };
    const failed = activities.run({ type: 'logout' }, () => Promise.reject(thrown as never));
    await expect(failed).rejects.toBe(thrown);
    expect((await probe.settled('logout')).error?.message).toBe('{"status":401,"password":"[redacted]"}');
  });

  it('stay out of the row of a failed query: neither its parameters nor its text are kept', async () => {
    const { activities, probe } = await trackedApp({});
    const failure = new QueryFailedError(
      'INSERT INTO users VALUES (?)',
      [SECRET],
      new Error('UNIQUE constraint failed'),
    );
    await expect(activities.run({ type: 'x' }, () => Promise.reject(failure))).rejects.toBe(failure);
    const row = await probe.settled('x');
    expect(JSON.stringify(row)).not.toContain('Ω');
    expect(row.error).toMatchObject({ name: 'QueryFailedError', message: 'UNIQUE constraint failed' });
  });

  it('stay out of the failure of a command, whose last words are cut at lines', async () => {
    const { activities, probe } = await trackedApp({});
    const long = `password=${'Ω'.repeat(3_000)}`;
    for (const [type, words, expected] of [
      ['lines', `${long}\ndone`, /done$/],
      ['one', `token=${SECRET.repeat(200)}`, /token=\[redacted\]$/],
    ] as const) {
      const code = 'process.stderr.write(process.env.WORDS, () => process.exit(3))';
      const command = ({ exec }: ActivityContext) =>
        exec(process.execPath, ['-e', code], { env: { ...process.env, WORDS: words } });
      await expect(activities.run({ type }, command)).rejects.toMatchObject({ exitCode: 3 });
      const row = await probe.settled(type);
      expect(JSON.stringify([row, await activities.messages(row.id)])).not.toContain('Ω');
      expect(row.error?.message).toMatch(expected);
    }
  });

  it('stay out of the reason of a cancel, and of what follows from it', async () => {
    const { activities, probe } = await trackedApp({});
    const aborted = deferred<unknown>();
    const run = activities.run({ type: 'x' }, ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve(signal.reason));
      return aborted.promise.then((reason) => Promise.reject(reason as Error));
    });
    const { id } = await probe.started('x');
    await activities.cancel(id, { by: 'grace', reason: `leaked token=${SECRET}` });
    await expect(run).rejects.toBeInstanceOf(ActivityCancelledError);
    const row = await probe.settled(id);
    expect(row.cancel?.reason).toBe('leaked token=[redacted]');
    expect(JSON.stringify([row, await activities.messages(id)])).not.toContain('Ω');
  });

  it('[F41] are what the option names besides: keys in any spelling, and patterns', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { redact: ['personalNumber', /tok_\w+/y] } });
    await activities.run({ type: 'x', metadata: { personal_number: 1, password: 2, other: 'a tok_1' } }, ({ log }) => {
      log.info('Personal-Number: 19800101 with tok_1 and tok_2');
    });
    const row = await probe.settled('x');
    expect(row.metadata).toEqual({ personal_number: '[redacted]', password: '[redacted]', other: 'a [redacted]' });
    expect(await probe.lines(row.id)).toEqual(['Personal-Number: [redacted] with [redacted] and [redacted]']);
  });

  it('are kept where the option is false', async () => {
    const { activities, probe } = await trackedApp({}, { activity: { redact: false } });
    await activities.run({ type: 'x', metadata: { password: 'hunter2' } }, ({ log }) => log.info('password=hunter2'));
    const row = await probe.settled('x');
    expect(row.metadata).toEqual({ password: 'hunter2' });
    expect(await probe.lines(row.id)).toEqual(['password=hunter2']);
  });

  it('are not looked for in what identifies an activity', async () => {
    const { activities, probe } = await trackedApp({});
    const identity = {
      resource: { type: 'file', id: 'token=1.txt' },
      actor: { id: 'password: ada' },
      batchId: 'secret:1',
    };
    await activities.run({ type: 'x', ...identity }, () => undefined);
    const row: Activity = await probe.settled('x');
    expect(row).toMatchObject(identity);
  });

  it.each<[string, unknown, string]>([
    ['a number', [1], '`redact.0` is 1: it must be the name of a key, of 1 to 64 characters with a letter or digit'],
    ['a name without a letter', ['-'], '`redact.0` is "-": it must be the name of a key'],
    [
      'a pattern that matches no text at all',
      ['a', /x*/],
      '`redact.1` is /x*/: it must be a RegExp that matches no empty text',
    ],
    [
      'a pattern that matches between letters',
      [/\b/],
      '`redact.0` is /\\b/: it must be a RegExp that matches no empty text',
    ],
    ['true', true, '`redact` is true: it must be false or a list of names of keys and RegExps'],
  ])('refuses to start with %s', async (_what, redact, message) => {
    const start = trackedApp({}, { activity: { redact } as ActivityModuleOptions });
    await expect(start).rejects.toThrow(message);
  });
});
