import fc from 'fast-check';
import { cutText } from '../execution/activity-log.js';
import { CUT_OVERLAP, LONGEST_LINE } from './line-lengths.js';
import { LineRedaction } from './line-redaction.js';
import { LineSplitter } from './line-splitter.js';
import { Redaction } from './redaction.js';

/** What a log keeps of a text that is written in these chunks. */
function keptOf(chunks: Iterable<Uint8Array>, { cap = 8192, rules = [] as (string | RegExp)[] } = {}): string[] {
  const kept: string[] = [];
  const redaction = new LineRedaction(new Redaction(rules));
  const take = (line: string, missing: number): void => {
    const { text, omitted } = redaction.line(line, 'stdout', missing);
    kept.push(cutText(text, cap, omitted));
  };
  const splitter = new LineSplitter({ line: take, rewriting: () => undefined }, LONGEST_LINE);
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return kept;
}

function chunksOf(text: string, places: readonly number[]): Uint8Array[] {
  const bytes = Buffer.from(text);
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

/** Greek letters stand in secrets only: none of them may be seen. */
const GREEK = /[ΩΨ]/;
const greek = fc.string({ unit: fc.constantFrom('Ω', 'Ψ'), minLength: 4, maxLength: 40 });
const said = greek.chain((secret) =>
  fc.constantFrom(
    `password=${secret}`,
    `{"api_key":"${secret}"}`,
    `Authorization: Bearer ${secret}`,
    `--token ${secret}`,
    `redis://:${secret}@db`,
    `tok_${secret}`,
    `'secret': '${secret}'`,
  ),
);
const rules = [/tok_[ΩΨ]+/];
const RUNS = { numRuns: 60 };

describe('secrets in what is written in chunks', () => {
  it('stay out however the text is cut into chunks', () => {
    const text = fc.array(fc.oneof(said, fc.constantFrom(' and ', '\n', '\r\n', '🚀', 'x=1 ')), { maxLength: 12 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 30 }), (parts, places) => {
        const whole = parts.join(' ');
        const lines = keptOf(chunksOf(whole, places), { rules });
        expect(lines.join('\n')).not.toMatch(GREEK);
        expect(lines).toEqual(keptOf([Buffer.from(whole)], { rules }));
      }),
    );
  });

  it('stay out where a chunk ends after each single byte', () => {
    const text = 'login password=ΩΩΩΩ tok_ΨΨΨΨ\n"token": "ΩΨΩΨ"';
    const bytes = [...Buffer.from(text)].map((byte) => Uint8Array.of(byte));
    expect(keptOf(bytes, { rules })).toEqual(['login password=[redacted] [redacted]', '"token": "[redacted]"']);
  });

  it('stay out where the cap of a message cuts through them', () => {
    fc.assert(
      fc.property(said, fc.integer({ min: 80, max: 200 }), fc.integer({ min: -60, max: 10 }), (secret, cap, shift) => {
        const lines = keptOf([Buffer.from(`${'x'.repeat(Math.max(0, cap + shift))} ${secret} ${'y'.repeat(300)}`)], {
          cap,
          rules,
        });
        expect(lines.join('\n')).not.toMatch(GREEK);
      }),
      RUNS,
    );
  });

  it('stay out where the gathering of a very long line cuts through them, also if masks make it short', () => {
    const cuts = [LONGEST_LINE, LONGEST_LINE - CUT_OVERLAP];
    fc.assert(
      fc.property(
        said,
        fc.constantFrom(...cuts),
        fc.integer({ min: -60, max: 10 }),
        fc.boolean(),
        (secret, cut, shift, short) => {
          // With most of it masked, the cut of the gathering comes within what the log keeps.
          const start = short ? `password=${'Ω'.repeat((cut + shift - 20) >> 1)} ` : 'x'.repeat(cut + shift);
          const lines = keptOf([Buffer.from(`${start} ${secret} ${'y'.repeat(300)}`)], { cap: 65_536, rules });
          expect(lines.join('\n')).not.toMatch(GREEK);
        },
      ),
      RUNS,
    );
  });
});

describe('a private key over several lines', () => {
  const key = ['-----BEGIN RSA PRIVATE KEY-----', 'MIIEow', 'abc=', '-----END RSA PRIVATE KEY-----'];

  it('is masked from its first line to its last', () => {
    const redaction = new LineRedaction(new Redaction());
    const lines = ['before', ...key, 'after'].map((line) => redaction.line(line, 'stdout').text);
    expect(lines).toEqual(['before', '[redacted]', '[redacted]', '[redacted]', '[redacted]', 'after']);
  });

  it('masks nothing of another source', () => {
    const redaction = new LineRedaction(new Redaction());
    redaction.line(key[0]!, 'stdout');
    expect(redaction.line('a step', 'log').text).toBe('a step');
    expect(redaction.line('MIIEow', 'stdout').text).toBe('[redacted]');
  });

  it('that never ends masks 256 lines', () => {
    const redaction = new LineRedaction(new Redaction());
    redaction.line(key[0]!, 'stdout');
    const lines = Array.from({ length: 300 }, (_, n) => redaction.line(`line ${n}`, 'stdout').text);
    expect(lines.filter((line) => line === '[redacted]')).toHaveLength(256);
    expect(lines[256]).toBe('line 256');
  });
});
