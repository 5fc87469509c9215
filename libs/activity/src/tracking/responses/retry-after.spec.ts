import { ActivityEvents } from '../../execution/activity-events.js';
import type { Activity } from '../../model/activity.js';
import { retryAfterSeconds } from './retry-after.js';
import { SeenDurations } from './seen-durations.js';

describe('Retry-After', () => {
  it.each([
    [{ elapsedMs: 0 }, 1],
    [{ elapsedMs: 20_000 }, 5],
    [{ elapsedMs: 3_600_000 }, 30],
    [{ elapsedMs: 0, usualMs: 40 }, 1],
    [{ elapsedMs: 0, usualMs: 20_000 }, 10],
    [{ elapsedMs: 15_000, usualMs: 20_000 }, 3],
    [{ elapsedMs: 40_000, usualMs: 20_000 }, 10],
    [{ elapsedMs: 0, usualMs: 86_400_000 }, 30],
  ])('%j: %i s', (times, seconds) => {
    expect(retryAfterSeconds(times)).toBe(seconds);
  });

  it('knows how long a type usually takes from those that have succeeded, the newest most', () => {
    const events = new ActivityEvents({ error: fail });
    const durations = new SeenDurations(events);
    durations.listen();
    const settled = (status: string, durationMs: number | null) =>
      events.emit('settled', { snapshot: () => ({ type: 'report', status, durationMs }) as Activity });
    settled('failed', 9);
    settled('succeeded', null);
    expect(durations.of('report')).toBeUndefined();
    settled('succeeded', 1_000);
    settled('succeeded', 2_000);
    expect(durations.of('report')).toBe(1_300);
  });

  it('remembers a bounded number of types', () => {
    const durations = new SeenDurations(new ActivityEvents({ error: fail }));
    for (let n = 0; n < 5_000; n++) durations.note(`type ${n}`, n);
    expect(durations.of('type 0')).toBeUndefined();
    expect(durations.of('type 4999')).toBe(4_999);
  });
});

function fail(text: string): void {
  throw new Error(text);
}
