import fc from 'fast-check';
import { LineSplitter } from './line-splitter.js';

interface Seen {
  lines: string[];
  omitted: number[];
  states: string[];
}

function split(chunks: (string | Uint8Array)[], maxBytes = 1000): Seen {
  const seen: Seen = { lines: [], omitted: [], states: [] };
  const splitter = new LineSplitter(
    {
      line: (text, omitted) => {
        seen.lines.push(text);
        seen.omitted.push(omitted);
      },
      rewriting: (text) => seen.states.push(text),
    },
    maxBytes,
  );
  for (const chunk of chunks) splitter.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  splitter.end();
  return seen;
}

const linesOf = (chunks: (string | Uint8Array)[]): string[] => split(chunks).lines;

/** What the whole text says, told without any regard to speed: a lone CR starts its line anew. */
function linesOfWhole(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\r+$/, '').split('\r').at(-1)!);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** Bytes in any chunking: of text, of broken UTF-8, with ends of lines of every kind. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom('\n', '\r\n', '\r', '\r\r\n', '🚀', 'ñ', '\0', '\uFEFF').map((text) => Buffer.from(text)),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 8 }).map((some) => Buffer.from(some)),
    ),
    { maxLength: 40 },
  )
  .map((parts) => Buffer.concat(parts));
const chunksOf = (whole: Buffer, places: readonly number[]): Buffer[] => {
  const at = [0, ...places.map((place) => place % (whole.length + 1)), whole.length].toSorted((a, b) => a - b);
  return at.slice(1).map((end, index) => whole.subarray(at[index], end));
};
const places = fc.array(fc.nat(), { maxLength: 30 });

describe('splitting output into lines', () => {
  it('keeps a last line without a newline, and empty lines', () => {
    expect(linesOf(['a\n\nb'])).toEqual(['a', '', 'b']);
    expect(linesOf(['a\n'])).toEqual(['a']);
  });

  it('takes CRLF as one end, also when it is split over two chunks', () => {
    expect(linesOf(['a\r\nb\r', '\nc'])).toEqual(['a', 'b', 'c']);
  });

  it('keeps the last state of a progress bar, and tells its states once a chunk', () => {
    expect(split(['10%\r20%\r', '30%', '\r40', '%\r', '100%\n', 'done'])).toMatchObject({
      lines: ['100%', 'done'],
      states: ['20%', '30%', '40', '40%'],
    });
    expect(linesOf(['10%\r20%\r'])).toEqual(['20%']);
  });

  it('puts characters together that are split over chunks', () => {
    const whole = Buffer.from('ñ🚀\n');
    expect(linesOf([...whole].map((byte) => Uint8Array.of(byte)))).toEqual(['ñ🚀']);
  });

  it('gives the lines of the whole text for any chunking of any bytes', () => {
    fc.assert(
      fc.property(bytes, places, (whole, cuts) => {
        expect(linesOf(chunksOf(whole, cuts))).toEqual(linesOfWhole(whole.toString('utf8')));
      }),
      { numRuns: 2_000 },
    );
  });

  it('cuts long lines at the same character, and counts the rest alike, for any chunking of any bytes', () => {
    fc.assert(
      fc.property(bytes, places, fc.integer({ min: 4, max: 20 }), (whole, cuts, maxBytes) => {
        expect(split(chunksOf(whole, cuts), maxBytes)).toMatchObject({
          lines: split([whole], maxBytes).lines,
          omitted: split([whole], maxBytes).omitted,
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('bounds a line, cut on a character, and counts what is missing', () => {
    expect(split(['x'.repeat(10), 'y'.repeat(10), '\nz'], 12)).toMatchObject({
      lines: [`${'x'.repeat(10)}yy`, 'z'],
      omitted: [8, 0],
    });
    expect(split([`${'x'.repeat(10)}🚀ñ\n`], 12)).toMatchObject({ lines: ['x'.repeat(10)], omitted: [3] });
  });

  it('tells of a long line that is rewritten its beginning only, and only while that grows', () => {
    const { states, lines } = split(['\r', ...Array.from({ length: 20_000 }, () => 'x')], 100_000);
    expect(states.at(-1)).toBe('x'.repeat(8_192));
    expect(states).toHaveLength(8_192);
    expect(lines).toEqual(['x'.repeat(20_000)]);
  });

  it('tells a state that a chunk ends in the middle of without the half character', () => {
    const bar = Buffer.from('\r█');
    expect(split([bar.subarray(0, 3), bar.subarray(3)]).states).toEqual(['█']);
  });

  it('takes what is written while it gives out a line after the chunk of that line', () => {
    const lines: string[] = [];
    const splitter: LineSplitter = new LineSplitter(
      {
        line: (text) => {
          lines.push(text);
          if (text === 'a') splitter.write(Buffer.from('c\nd'));
        },
        rewriting: () => undefined,
      },
      100,
    );
    splitter.write(Buffer.from('a\nb'));
    splitter.end();
    expect(lines).toEqual(['a', 'bc', 'd']);
  });
});
