import { ProgressMeter, type ProgressReport } from './progress-meter.js';

function after(...reports: ProgressReport[]) {
  const meter = new ProgressMeter();
  for (const report of reports) meter.report(report, 0);
  return meter.value();
}

describe('progress', () => {
  it('[F30] derives percent from current and total, in the unit given', () => {
    expect(after({ current: 1, total: 3, unit: 'files' })).toEqual({
      percent: 33.33,
      current: 1,
      total: 3,
      unit: 'files',
      perSecond: null,
    });
  });

  it('[F31] leaves percent unknown without a total, and at 100 past the total, with the count as it is', () => {
    expect(after({ current: 5 })).toMatchObject({ percent: null, current: 5, total: null });
    expect(after({ current: 12, total: 10 })).toMatchObject({ percent: 100, current: 12, total: 10 });
  });

  it('[F36] never goes back', () => {
    expect(after(60, 40).percent).toBe(60);
    expect(after({ current: 8, total: 10 }, { current: 3 })).toMatchObject({ percent: 80, current: 8 });
    expect(after({ current: 5, total: 10 }, { total: 100 })).toMatchObject({ percent: 50, total: 100 });
  });

  it('ignores what is no number and keeps within 0 and 100', () => {
    expect(after(Number.NaN, 'x' as unknown as number, Infinity).percent).toBeNull();
    expect(after(250).percent).toBe(100);
    expect(after(-3).percent).toBe(0);
    expect(after({ current: -1, total: 0 })).toMatchObject({ current: null, total: null });
    expect(after(null as unknown as number)).toMatchObject({ percent: null });
  });
});
