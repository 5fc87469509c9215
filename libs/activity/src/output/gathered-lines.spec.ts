import fc from 'fast-check';
import { GatheredLines } from './gathered-lines.js';

const chunk = (from: number, to: number, padding = 80): Buffer =>
  Buffer.from(Array.from({ length: to - from + 1 }, (_, n) => `${from + n} ${'x'.repeat(padding)}\n`).join(''));
const lastLine = (bytes: Buffer): string => bytes.toString().trimEnd().split('\n').at(-1)!;

describe('gathered lines', () => {
  it('leave the oldest out, whole lines, counting them, and never one of the newest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 4_000 }),
        (counts, keep) => {
          const lines = new GatheredLines(keep);
          let given = 0;
          for (const count of counts) {
            expect(lines.add(chunk(given + 1, given + count))).toBe(true);
            given += count;
          }
          const { leftOut, bytes } = lines.take();
          expect(leftOut).toBeLessThanOrEqual(Math.max(0, given - keep));
          expect(bytes.equals(chunk(leftOut + 1, given))).toBe(true);
          expect(lines.isEmpty).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('come a part at a time while more are added', () => {
    const lines = new GatheredLines(2_000);
    let next = 1;
    for (let given = 0; given < 20_000; given += 1_000) {
      lines.add(chunk(given + 1, given + 1_000));
      const { leftOut, bytes } = lines.takeSome();
      expect(bytes.toString()).toMatch(new RegExp(`^${next + leftOut} `));
      expect(bytes.length).toBeLessThanOrEqual(65_536);
      next = Number(lastLine(bytes).split(' ')[0]) + 1;
    }
    const { leftOut, bytes } = lines.take();
    expect(bytes.equals(chunk(next + leftOut, 20_000))).toBe(true);
  });

  it('refuse what there is no room for: a line without an end, and more than they hold', () => {
    const lines = new GatheredLines(10);
    expect(lines.add(Buffer.alloc(1_000_000, 'x'))).toBe(true);
    expect(lines.add(Buffer.alloc(1_000_000, 'x'))).toBe(false);
    expect(lines.take()).toEqual({ leftOut: 0, bytes: Buffer.alloc(1_000_000, 'x') });
    expect(lines.add(Buffer.alloc(2_000_000, '\n'))).toBe(false);
  });

  it('leave nothing out behind which a private key may go on', () => {
    const lines = new GatheredLines(10);
    lines.add(Buffer.from('a\n-----BEGIN RSA PRIVATE KEY-----\nabc\n'));
    lines.add(chunk(1, 1_000));
    lines.add(chunk(1_001, 2_000));
    expect(lines.take()).toMatchObject({ leftOut: 0 });
  });
});
