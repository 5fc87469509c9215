import { UsualDurations, usualOf } from './usual-durations.js';

const MINUTE = 60_000;

/** Usual durations with a clock that the test turns, and what was read. */
function counted(read: () => Promise<number[]> = () => Promise.resolve([1, 2, 3, 4, 5])) {
  const asked: string[] = [];
  let now = 0;
  const durations = new UsualDurations(
    ({ type, scope }) => {
      asked.push(`${scope}/${type}`);
      return read();
    },
    () => now,
  );
  return { durations, asked, turn: (ms: number) => (now += ms) };
}

describe('what is usual', () => {
  it('is the middle half and the median of what was measured, and unknown with fewer than five', () => {
    expect(usualOf([5, 1, 4, 2, 3].map((minutes) => minutes * MINUTE))).toEqual({
      count: 5,
      fromMs: 2 * MINUTE,
      medianMs: 3 * MINUTE,
      toMs: 4 * MINUTE,
    });
    expect(usualOf([10, 20, 30, 40, 50, 1_000])).toEqual({ count: 6, fromMs: 23, medianMs: 35, toMs: 48 });
    expect(usualOf([7, 7, 7, 7, 7])).toEqual({ count: 5, fromMs: 7, medianMs: 7, toMs: 7 });
    expect(usualOf([1, 2, 3, 4])).toBeNull();
    expect(usualOf([])).toBeNull();
  });

  it('is read once a minute for each type and scope, however many ask', async () => {
    const { durations, asked, turn } = counted();
    const of = { type: 'a', scope: 's' };
    await Promise.all([durations.of(of), durations.of(of), durations.of({ type: 'b', scope: 's' })]);
    turn(MINUTE - 1);
    expect(await durations.of(of)).toMatchObject({ medianMs: 3 });
    expect(asked).toEqual(['s/a', 's/b']);
    turn(1);
    await durations.of(of);
    expect(asked).toEqual(['s/a', 's/b', 's/a']);
  });

  it('is asked for again after a failure, of which those who asked hear', async () => {
    let isAway = true;
    const { durations, asked } = counted(() =>
      isAway ? Promise.reject(new Error('away')) : Promise.resolve([1, 1, 1, 1, 1]),
    );
    await expect(durations.of({ type: 'a', scope: 's' })).rejects.toThrow('away');
    isAway = false;
    await expect(durations.of({ type: 'a', scope: 's' })).resolves.toMatchObject({ count: 5 });
    expect(asked).toHaveLength(2);
  });

  it('is kept for a bounded number of types', async () => {
    const { durations, asked } = counted();
    for (let n = 0; n <= 500; n++) await durations.of({ type: `type ${n}`, scope: 's' });
    await durations.of({ type: 'type 500', scope: 's' });
    expect(asked).toHaveLength(501);
    await durations.of({ type: 'type 0', scope: 's' });
    expect(asked).toHaveLength(502);
  });
});
