import { RateMeter } from './rate-meter.js';

const SECOND = 1_000;

/** A meter that was told `perStep` more every `everyMs`, `steps` times, from time 0 on; with its last time. */
function steady({ perStep, everyMs, steps }: { perStep: number; everyMs: number; steps: number }) {
  const meter = new RateMeter();
  for (let step = 0; step <= steps; step++) meter.observe(step * perStep, step * everyMs);
  return { meter, at: steps * everyMs, done: steps * perStep };
}

describe('the rate', () => {
  it('is what a steady work does, whatever the time between its reports', () => {
    for (const everyMs of [1, 100, SECOND, 60 * SECOND]) {
      const { meter, at } = steady({ perStep: everyMs / 2, everyMs, steps: 5_000 });
      expect(meter.perSecond(at)).toBeCloseTo(500, 0);
    }
  });

  it('[F32] is unknown before three advances and two seconds', () => {
    expect(steady({ perStep: 10, everyMs: 100, steps: 19 }).meter.perSecond(1_900)).toBeNull();
    expect(steady({ perStep: 10, everyMs: 100, steps: 20 }).meter.perSecond(2_000)).toBe(100);
    expect(steady({ perStep: 10, everyMs: 5_000, steps: 2 }).meter.perSecond(10_000)).toBeNull();
    expect(steady({ perStep: 10, everyMs: 5_000, steps: 3 }).meter.perSecond(15_000)).toBe(2);
    expect(new RateMeter().perSecond(1e9)).toBeNull();
    expect(new RateMeter().endOf(1, 1e9)).toBeNull();
  });

  it('does not count what was there at the first report', () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 10; second++) meter.observe(1_000_000 + second, second * SECOND);
    expect(meter.perSecond(10 * SECOND)).toBe(1);
  });

  it('follows a work that has become slower, and forgets a burst', () => {
    const { meter, at, done } = steady({ perStep: 100, everyMs: SECOND, steps: 20 });
    for (let second = 1; second <= 60; second++) meter.observe(done + second * 10, at + second * SECOND);
    const rate = meter.perSecond(at + 60 * SECOND)!;
    expect(rate).toBeGreaterThan(10);
    expect(rate).toBeLessThan(20);
  });

  it('takes a fall as a correction, not as work undone or done again', () => {
    const { meter, at } = steady({ perStep: 10, everyMs: SECOND, steps: 10 });
    meter.observe(50, at + 1);
    for (let second = 1; second <= 10; second++) meter.observe(50 + second * 10, at + second * SECOND);
    expect(meter.perSecond(at + 10 * SECOND)).toBeCloseTo(10, 5);
  });
});

describe('the expected end', () => {
  it('[F32] follows from what remains and the rate, and stays where it is between two reports', () => {
    const { meter, at } = steady({ perStep: 10, everyMs: SECOND, steps: 30 });
    expect(meter.endOf(100, at)).toBe(at + 10 * SECOND);
    expect(meter.endOf(100, at + 900)).toBe(at + 10 * SECOND);
    expect(meter.endOf(100, at + 2 * SECOND)).toBe(at + 10 * SECOND);
  });

  it('[F32] moves away with a stall, faster than the time goes', () => {
    const { meter, at } = steady({ perStep: 10, everyMs: SECOND, steps: 30 });
    const ends = [0, 5, 10, 20, 40].map((silent) => meter.endOf(100, at + silent * SECOND)!);
    const leftAt = ends.map((end, place) => end - (at + [0, 5, 10, 20, 40][place]! * SECOND));
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
    expect(leftAt[2]).toBeGreaterThan(leftAt[0]!);
    expect(leftAt[4]).toBeGreaterThan(4 * leftAt[0]!);
    expect(meter.perSecond(at + 40 * SECOND)).toBeLessThan(2);
  });

  it('is never in the past, and unknown for nothing that remains or for more than a year', () => {
    const { meter, at } = steady({ perStep: 10, everyMs: SECOND, steps: 30 });
    expect(meter.endOf(1, at + 2 * SECOND)).toBe(at + 2 * SECOND);
    for (const remaining of [0, -5, Number.NaN]) expect(meter.endOf(remaining, at)).toBeNull();
    expect(meter.endOf(1e10, at)).toBeNull();
  });
});
