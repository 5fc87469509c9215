import fc from 'fast-check';
import { LineSplitter } from './line-splitter.js';

function linesOf(chunks: (string | Uint8Array)[], maxLength = 1000): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), maxLength);
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

describe('splitting output into lines', () => {
  it('keeps a last line without a newline, and empty lines', () => {
    expect(linesOf(['a\n\nb'])).toEqual(['a', '', 'b']);
    expect(linesOf(['a\n'])).toEqual(['a']);
  });

  it('takes CRLF as one end, also when it is split over two chunks', () => {
    expect(linesOf(['a\r\nb\r', '\nc'])).toEqual(['a', 'b', 'c']);
  });

  it('keeps the last state of a progress bar', () => {
    expect(linesOf(['10%\r20%\r', '100%\n', 'done'])).toEqual(['100%', 'done']);
  });

  it('puts characters together that are split over chunks', () => {
    const bytes = Buffer.from('ñ🚀\n');
    expect(linesOf([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(['ñ🚀']);
  });

  it('gives the same lines for any chunking of any bytes', () => {
    const text = fc.array(fc.oneof(fc.constantFrom('\n', '\r\n', '\r', '🚀', 'ñ'), fc.string({ unit: 'binary' })), {
      maxLength: 30,
    });
    const cuts = fc.array(fc.nat(), { maxLength: 20 });
    fc.assert(
      fc.property(text, cuts, (parts, places) => {
        const bytes = Buffer.from(parts.join(''));
        const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(linesOf(chunks)).toEqual(linesOf([bytes]));
      }),
    );
  });

  it('bounds a line and says how much is missing', () => {
    expect(linesOf(['x'.repeat(10), 'y'.repeat(10), '\nz'], 12)).toEqual([
      `${'x'.repeat(10)}yy … (8 more characters)`,
      'z',
    ]);
  });
});
