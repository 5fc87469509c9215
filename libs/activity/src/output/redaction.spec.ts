import { inspect } from 'node:util';
import fc from 'fast-check';
import { Redaction } from './redaction.js';

const redact = (text: string): string => new Redaction().text(text);

describe('text without its secrets', () => {
  it.each([
    ['password=hunter2', 'password=[redacted]'],
    ['login password=hunter2 user=ada', 'login password=[redacted] user=ada'],
    ['password: hunter2', 'password: [redacted]'],
    ['password : hunter2', 'password : [redacted]'],
    ['{"user":"ada","password":"hunter2","id":1}', '{"user":"ada","password":"[redacted]","id":1}'],
    ['{"password":"a \\"quoted\\" one"}', '{"password":"[redacted]"}'],
    ['{"token":12345,"id":1}', '{"token":[redacted],"id":1}'],
    ['{"msg":"{\\"password\\":\\"a b\\"}","id":1}', '{"msg":"{\\"password\\":\\"[redacted]\\"}","id":1}'],
    ['{"credentials":{"user":"ada","pass":"x]"},"id":1}', '{"credentials":[redacted],"id":1}'],
    ["{ password: 'hunter2', id: 1 }", "{ password: '[redacted]', id: 1 }"],
    ["Map(1) { 'password' => 'hunter2' }", "Map(1) { 'password' => '[redacted]' }"],
    ["{ secret: Secret { value: 'x' }, id: 1 }", '{ secret: [redacted], id: 1 }'],
    ['user[password]=hunter2&user[name]=ada', 'user[password]=[redacted]&user[name]=ada'],
    ['GET /x?access_token=abc&page=2', 'GET /x?access_token=[redacted]&page=2'],
    ['Server=db;Password=a,b!;Database=app', 'Server=db;Password=[redacted];Database=app'],
    ['token=abc, user=ada', 'token=[redacted], user=ada'],
    ['PGPASSWORD=hunter2 psql', 'PGPASSWORD=[redacted] psql'],
    ['AWS_SECRET_ACCESS_KEY=abc', 'AWS_SECRET_ACCESS_KEY=[redacted]'],
    ['X-Api-Key: abc', 'X-Api-Key: [redacted]'],
    ['the api key: abc', 'the api key: [redacted]'],
    ['apiKey = abc', 'apiKey = [redacted]'],
    ['dbPassword2=abc', 'dbPassword2=[redacted]'],
    ['mysql --password hunter2 --host db', 'mysql --password [redacted] --host db'],
    ['mysql --password=hunter2 --host db', 'mysql --password=[redacted] --host db'],
    ["docker login --password 'a b' host", "docker login --password '[redacted]' host"],
    ["[ 'login', '--token', 'abc' ]", "[ 'login', '--token', '[redacted]' ]"],
    ['["login","--token","abc"]', '["login","--token","[redacted]"]'],
    ['Authorization: Bearer abc.def', 'Authorization: [redacted]'],
    ['> authorization: Basic YWRhOmI=\n> host: x', '> authorization: [redacted]\n> host: x'],
    ['curl -H "Authorization: Bearer abc" https://x.y', 'curl -H "Authorization: [redacted]" https://x.y'],
    ['Set-Cookie: sid=abc; Path=/; HttpOnly', 'Set-Cookie: [redacted]'],
    ['got Bearer abc.def-ghi= from ada', 'got Bearer [redacted] from ada'],
    ['got Basic YWRhOmI= from ada', 'got Basic [redacted] from ada'],
    ['postgres://ada:hunter2@db:5432/app', 'postgres://ada:[redacted]@db:5432/app'],
    ['redis://:p@ss@db:6379', 'redis://:[redacted]@db:6379'],
    ['postgres://ada:hun/ter2@db/app', 'postgres://ada:[redacted]@db/app'],
    ['clone https://ghp_0123456789abcdef0123@github.com/x', 'clone https://[redacted]@github.com/x'],
    [
      "\u001b[36mtoken\u001b[39m: \u001b[32m'abc'\u001b[39m",
      "\u001b[36mtoken\u001b[39m: \u001b[32m'[redacted]'\u001b[39m",
    ],
    ['token: \u001b[1mabc\u001b[0m done', 'token: \u001b[1m[redacted]\u001b[0m done'],
    ['password: [redacted]', 'password: [redacted]'],
    ['x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y', 'x [redacted] y'],
    ['x -----BEGIN PRIVATE KEY-----\nMIIE\n', 'x [redacted]'],
  ])('masks %j', (given, expected) => {
    expect(redact(given)).toBe(expected);
  });

  it.each([
    '1,000 of 36,788 files, 500 a second',
    'Unexpected token < in JSON at position 0',
    'https://registry.example:4873/@scope/name answers 200',
    'http://localhost:3000/users/@ada',
    'ssh://git@example.org/x',
    'file:///C:/a/b@c',
    'Basic authentication failed; bearer token required; Bearer realm="x"',
    'the password must have 8 characters',
    'password:',
    'maxTokens: 500, tokenCount=3, passwordPolicy: strict, monkey: 1',
    '--password-stdin x --no-cache',
    '-----BEGIN CERTIFICATE-----',
    '\u001b[31mred\u001b[0m 10:20:30 a=b c: d',
  ])('leaves %j', (text) => {
    expect(redact(text)).toBe(text);
  });

  it.each(['apiKey', 'api_key', 'API-KEY', 'api key', 'apikey'])(
    'finds each spelling of a name given as %j',
    (name) => {
      const redaction = new Redaction([name.replace(/api/i, 'zed')]);
      for (const spelling of ['zedKey', 'zed_key', 'ZED-KEY', 'zedkey', 'x-zed-key']) {
        expect(redaction.text(`${spelling}=abc`)).toBe(`${spelling}=[redacted]`);
        expect(redaction.value({ [spelling]: 1 })).toEqual({ [spelling]: '[redacted]' });
      }
    },
  );

  it('finds a short name only where a word begins', () => {
    const redaction = new Redaction(['pin']);
    expect(redaction.value({ pin: 1, cardPin: 2, card_pin: 3, shipping: 4, spin: 5 })).toEqual({
      pin: '[redacted]',
      cardPin: '[redacted]',
      card_pin: '[redacted]',
      shipping: 4,
      spin: 5,
    });
  });

  it.each(['', 'g', 'y', 'gi', 'gy', 'u'])('takes a pattern with the flags %j, from the start each time', (flags) => {
    const pattern = new RegExp('tok_[a-z0-9]+', flags);
    const redaction = new Redaction([pattern]);
    for (let n = 0; n < 3; n++) {
      expect(redaction.text('a tok_1 and tok_2')).toBe('a [redacted] and [redacted]');
    }
    expect(pattern.lastIndex).toBe(0);
  });

  it('masks nothing when it is off', () => {
    const redaction = new Redaction(false);
    const value = { password: 'x' };
    expect(redaction.text('password=x')).toBe('password=x');
    expect(redaction.value(value)).toBe(value);
  });

  it('leaves no part of a secret in what inspect and JSON make of any object', () => {
    const secret = fc
      .array(fc.constantFrom('Ω', 'Ψ', "'", '"', '\\', '\n', ' ', ',', '}', '`'), { minLength: 1, maxLength: 12 })
      .map((parts) => `Ω${parts.join('')}Ω`);
    const value = fc.oneof(
      secret,
      fc.array(secret),
      fc.record({ a: secret }),
      secret.map((text) => new Map([[text, 1]])),
    );
    const key = fc.constantFrom('password', 'api-key', 'X_TOKEN', 'Set-Cookie', 'credentials');
    fc.assert(
      fc.property(key, value, (name, hidden) => {
        const object = { before: 'b', [name]: hidden, after: 1 };
        const shown = [inspect(object, { breakLength: Infinity }), inspect(object), inspect(object, { colors: true })];
        const json = JSON.stringify(object);
        for (const text of [...shown, json, JSON.stringify({ json }), JSON.stringify(object, null, 2)]) {
          expect(redact(text)).not.toMatch(/[ΩΨ]/);
        }
        expect(redact(json)).toContain('"after":1');
      }),
      { numRuns: 300 },
    );
  });
});

describe('values without their secrets', () => {
  it('masks at any depth, in copies', () => {
    const inner = { Authorization: 'Bearer x', list: [{ apiKey: 1 }, 'token=abc', 2], at: new Date(0), none: null };
    const value = { password: { a: 1 }, secret: null, inner };
    const before = structuredClone(value);
    expect(new Redaction().value(value as never)).toEqual({
      password: '[redacted]',
      secret: null,
      inner: {
        Authorization: '[redacted]',
        list: [{ apiKey: '[redacted]' }, 'token=[redacted]', 2],
        at: new Date(0),
        none: null,
      },
    });
    expect(value).toEqual(before);
  });

  it('masks the argument behind a flag', () => {
    expect(new Redaction().value(['login', '--password', 'x', '-token', 'y', '--user', 'ada'])).toEqual([
      'login',
      '--password',
      '[redacted]',
      '-token',
      '[redacted]',
      '--user',
      'ada',
    ]);
  });

  it('has its way with values that misbehave', () => {
    const cycle: Record<string, unknown> = { password: 'x' };
    cycle['self'] = cycle;
    Object.defineProperty(cycle, 'bad', {
      enumerable: true,
      get: () => {
        throw new Error('password=x');
      },
    });
    const value = { cycle, entity: { toJSON: () => ({ token: 'x' }) }, ...JSON.parse('{"__proto__":{"pwd":1}}') };
    expect(JSON.stringify(new Redaction().value(value as never))).toBe(
      JSON.stringify({
        cycle: { password: '[redacted]', self: '[circular]', bad: '[unreadable]' },
        entity: { token: '[redacted]' },
        ...JSON.parse('{"__proto__":{"pwd":"[redacted]"}}'),
      }),
    );
    const huge = Array.from({ length: 1_000_000 }, () => 'x');
    expect(new Redaction().value(huge)).toEqual({ truncated: 'more than 524288 bytes of JSON' });
  });

  it('masks every text of an error', () => {
    const causes = [{ name: 'Error', message: 'token: abc', stack: 'Error: token: abc\n  at x' }];
    expect(
      new Redaction().error({ name: 'E', code: 'X', message: 'pwd=1', stack: 'E: pwd=1\n  at y', causes }),
    ).toEqual({
      name: 'E',
      code: 'X',
      message: 'pwd=[redacted]',
      stack: 'E: pwd=[redacted]\n  at y',
      causes: [{ name: 'Error', message: 'token: [redacted]', stack: 'Error: token: [redacted]\n  at x' }],
    });
  });
});

describe('hostile text', () => {
  const SIZE = 64 * 1024;
  const pieces = [
    '\u001b[;;;',
    ':',
    '=',
    '-',
    '--',
    '://',
    '://u:',
    '://u:x/',
    '@',
    '"',
    "'",
    '\\',
    '\\"',
    '{',
    '[',
    ' ',
    'a',
    'password ',
    'password',
    'password:',
    'password="',
    'password={',
    "password='a'",
    '--password ',
    ' :',
    '\n',
    'bearer ',
    'Basic a',
    'bearer auth',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    'a=',
    'a,',
    ',a',
    '"password: x\n',
    'password=,',
    'password=a,b',
    '\u001b[1mtoken',
    '://u:x@',
    'https://h:1/',
    '-----BEGIN RSA ',
    'token\u001b[39m:',
  ];

  /** A square would take sixteen times as long for four times the text. Of 1 MB 128 KiB are read. */
  it.each(pieces)('of %j takes a time that grows with its length', (piece) => {
    const quarter = piece.repeat(SIZE / 4 / piece.length);
    const whole = piece.repeat(SIZE / piece.length);
    redact(quarter);
    const bound = Math.max(10 * timeOf(() => redact(quarter)), 250);
    for (const text of [whole, `${whole.slice(0, -4)} @"\n`, piece.repeat(1_000_000 / piece.length)]) {
      expect(timeOf(() => redact(text))).toBeLessThan(bound);
    }
  });
});

/** Milliseconds of this process's own, whatever else the machine does. */
function timeOf(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
