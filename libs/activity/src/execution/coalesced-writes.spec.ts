import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CoalescedWrites } from './coalesced-writes.js';

const SECOND = 1_000;

/** Writes of one activity, with the seconds at which they were made. */
function writes(expectedEndAt: () => Date | null = () => null) {
  const made: number[] = [];
  const coalesced = new CoalescedWrites({
    intervalMs: 250,
    write: () => made.push(Date.now() / SECOND),
    expectedEndAt,
  });
  return { coalesced, made };
}

describe('the writes of an activity that runs', () => {
  beforeEach(() => void jest.useFakeTimers({ now: 0 }));
  afterEach(() => void jest.useRealTimers());

  it('[F35] are one an interval, however much changes, and none where nothing does', () => {
    const { coalesced, made } = writes();
    for (let ms = 0; ms < 1_000; ms++) {
      coalesced.changed();
      jest.advanceTimersByTime(1);
    }
    jest.advanceTimersByTime(60 * SECOND);
    expect(made).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('[C116] are dropped with the end, and none comes after it', () => {
    const { coalesced, made } = writes(() => new Date(Date.now() * 2));
    coalesced.changed();
    jest.advanceTimersByTime(300);
    coalesced.changed();
    coalesced.stop();
    jest.advanceTimersByTime(60 * SECOND);
    expect(made).toEqual([0.25]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('[F32] follow an expected end that moves away in a stall, less and less often', () => {
    const { coalesced, made } = writes(() => new Date(Date.now() + 10 * SECOND));
    coalesced.changed();
    jest.advanceTimersByTime(400 * SECOND);
    expect(made).toEqual([0.25, 5.25, 15.25, 35.25, 75.25, 155.25, 315.25]);
    // A sign of life, and they are as close as before.
    coalesced.changed();
    jest.advanceTimersByTime(6 * SECOND);
    expect(made.slice(7)).toEqual([400.25, 405.25]);
    coalesced.stop();
  });

  it('stay away while the expected end stays where it is', () => {
    const { coalesced, made } = writes(() => new Date(600 * SECOND));
    coalesced.changed();
    jest.advanceTimersByTime(300 * SECOND);
    expect(made).toEqual([0.25]);
    coalesced.stop();
  });
});
