import { ActivityProgress } from './activity-progress.js';
import type { ProgressReport } from './progress-meter.js';

/** The progress of an activity with a clock that the test turns. */
class Told {
  readonly progress = new ActivityProgress();
  #ms = 0;

  get at(): Date {
    return new Date(this.#ms);
  }

  after(seconds: number): this {
    this.#ms += seconds * 1_000;
    return this;
  }

  report(report: ProgressReport): this {
    this.progress.report(report, this.at);
    return this;
  }

  begin(name: string | null, options = {}): this {
    this.progress.begin(name, options, this.at);
    return this;
  }

  announce(...plan: [name: string, weight?: number][]): this {
    this.progress.announce(
      plan.map(([name, weight]) => ({ name, ...(weight === undefined ? {} : { weight }) })),
      this.at,
    );
    return this;
  }

  get percent(): number | null {
    return this.progress.percent;
  }

  get value() {
    return this.progress.value(this.at);
  }

  get statuses() {
    return this.progress.steps(this.at).items.map(({ name, status }) => [name, status]);
  }

  /** Seconds from now to the expected end. */
  get secondsLeft(): number | null {
    const end = this.progress.expectedEndAt(this.at);
    return end && (end.getTime() - this.at.getTime()) / 1_000;
  }
}

describe('the steps of an activity', () => {
  it('[F33] have each a status, times and progress of its own', () => {
    const told = new Told().begin('list').after(2).begin('hash', { total: 4, unit: 'files' }).after(1);
    told.report({ current: 1 });
    expect(told.progress.steps(told.at).items).toEqual([
      {
        name: 'list',
        status: 'succeeded',
        weight: null,
        startedAt: new Date(0),
        endedAt: new Date(2_000),
        progress: { percent: 100, current: null, total: null, unit: null, perSecond: null },
      },
      {
        name: 'hash',
        status: 'running',
        weight: null,
        startedAt: new Date(2_000),
        endedAt: null,
        progress: { percent: 25, current: 1, total: 4, unit: 'files', perSecond: null },
      },
    ]);
    // What is counted now is shown with the activity; how much of the whole that is, nobody has said.
    expect(told.value).toEqual({ percent: null, current: 1, total: 4, unit: 'files', perSecond: null });
  });

  it.each(['succeeded', 'failed', 'cancelled', 'interrupted'] as const)(
    '[F33] that are open at the end have %s with the activity, and those that never began are skipped',
    (status) => {
      const told = new Told().announce(['a'], ['b'], ['c']).begin('a').begin('b').report(30).after(1);
      told.progress.finish(status, told.at);
      expect(told.statuses).toEqual([
        ['a', 'succeeded'],
        ['b', status],
        ['c', 'skipped'],
      ]);
      expect(told.progress.steps(told.at).items[1]).toMatchObject({
        endedAt: told.at,
        progress: { percent: status === 'succeeded' ? 100 : 30 },
      });
      expect(told.progress.step).toBe('b');
    },
  );

  it('are begun once while they go on, and again when their name comes again', () => {
    const told = new Told().announce(['batch']).begin('batch').begin('batch').begin('sum').begin('batch').begin(null);
    expect(told.statuses).toEqual([
      ['batch', 'succeeded'],
      ['sum', 'succeeded'],
      ['batch', 'succeeded'],
    ]);
    expect(told.progress.step).toBeNull();
  });

  it('are bounded: of thousands the first and the newest are kept, and the others counted', () => {
    const told = new Told();
    for (let n = 1; n <= 5_000; n++) told.begin(`batch ${n}`, { weight: 0.01 });
    const { items, omitted } = told.progress.steps(told.at);
    expect(items).toHaveLength(100);
    expect(omitted).toBe(4_900);
    expect([items[49]!.name, items[50]!.name, items.at(-1)!.name]).toEqual(['batch 50', 'batch 4951', 'batch 5000']);
    // Those that were left out still count.
    expect(told.percent).toBe(49.99);
  });

  it('are bounded when they are announced, too', () => {
    const told = new Told();
    const plan = Array.from({ length: 150 }, (_, n) => ({ name: `step ${n}` }));
    expect(told.progress.announce(plan, told.at)).toBe(50);
    for (let n = 0; n < 75; n++) told.begin(`step ${n}`);
    expect(told.progress.steps(told.at)).toMatchObject({ omitted: 50, items: { length: 100 } });
    expect(told.begin(null).percent).toBe(50);
  });
});

describe('the progress of the whole', () => {
  it('[F34] is the sum of the steps by their weights, known from the start where they are announced', () => {
    const told = new Told().announce(['list', 1], ['hash', 18], ['sum']);
    expect(told.percent).toBe(0);
    expect(told.begin('list').percent).toBe(0);
    expect(told.begin('hash', { total: 10 }).percent).toBe(5);
    expect(told.report({ current: 5 }).percent).toBe(50);
    expect(told.report({ current: 12 }).percent).toBe(95);
    expect(told.begin('sum').report(50).percent).toBe(97.5);
  });

  it('[F34] follows from weights that are percent, where nothing is announced', () => {
    const told = new Told().begin('list', { weight: 5 });
    expect(told.percent).toBe(0);
    expect(told.begin('hash', { weight: 95 }).percent).toBe(5);
    expect(told.report({ current: 1, total: 2 }).percent).toBe(52.5);
  });

  it('[F34] is unknown, and not made up, where nobody has said how much of it a step is', () => {
    const told = new Told().begin('one').report(100).begin('two').report({ current: 1, total: 2 });
    expect(told.percent).toBeNull();
    expect(told.secondsLeft).toBeNull();
    told.progress.finish('succeeded', told.at);
    expect(told.percent).toBe(100);
  });

  it('[F36] never falls: not with a larger total, a further step, or a step that is begun again', () => {
    const told = new Told().announce(['a', 1], ['b', 1]).begin('a').report({ current: 8, total: 10 });
    expect(told.percent).toBe(40);
    expect(told.report({ total: 100 }).percent).toBe(40);
    expect(told.report({ current: 90 }).percent).toBe(45);
    expect(told.begin('more', { weight: 8 }).percent).toBe(45);
    expect(told.begin('b').report(50).percent).toBe(95);
    expect(told.begin('a').report(1).percent).toBe(100);
    expect(told.value).toMatchObject({ percent: 100, current: null });
  });

  it('[F36] does not go down where what is said outside a step is more', () => {
    const told = new Told().report(40).announce(['a', 1], ['b', 1]).begin('a');
    expect(told.percent).toBe(40);
    expect(told.begin('b').percent).toBe(50);
  });

  it('takes no step as weightier than it is: weights that are none are 1 where announced, else nothing', () => {
    const told = new Told().announce(['a', Number.NaN], ['b', -3], ['c', Infinity], ['d', 1]);
    told.begin('a').begin('x', { weight: Number.NaN }).report(100).begin('y').report(100);
    expect(told.begin(null).percent).toBe(25);
  });
});

describe('the expected end', () => {
  it('[F32] follows from the rate of what is counted', () => {
    const told = new Told().report({ current: 0, total: 100, unit: 'files' });
    for (let n = 1; n <= 20; n++) told.after(1).report({ current: n * 2 });
    expect(told.value).toMatchObject({ percent: 40, perSecond: 2 });
    expect(told.secondsLeft).toBe(30);
  });

  it('[F32] is there for percent alone', () => {
    const told = new Told().report(0);
    for (let n = 1; n <= 10; n++) told.after(60).report(n);
    expect(told.secondsLeft).toBeCloseTo(90 * 60, 3);
    expect(told.value.perSecond).toBeCloseTo(1 / 60, 3);
  });

  it('[F32] is that of the whole where steps have weights, while the rate is that of the step', () => {
    const told = new Told().announce(['list', 10], ['hash', 90]).begin('list').report(0);
    for (let n = 1; n <= 10; n++) told.after(1).report(n * 10);
    told.begin('hash', { total: 900, unit: 'files' });
    for (let n = 1; n <= 10; n++) told.after(1).report({ current: n * 10 });
    expect(told.value).toMatchObject({ percent: 20, current: 100, total: 900, perSecond: 10 });
    expect(told.secondsLeft).toBe(80);
  });

  it('[F32] is unknown without a total, past it, in steps without weights, and after the end', () => {
    const steady = (report: (n: number) => ProgressReport, told = new Told()) => {
      for (let n = 0; n <= 20; n++) told.after(1).report(report(n));
      return told;
    };
    expect(steady((n) => ({ current: n })).value.perSecond).toBe(1);
    expect(steady((n) => ({ current: n })).secondsLeft).toBeNull();
    expect(steady((n) => ({ current: n, total: 20 })).secondsLeft).toBeNull();
    expect(steady((n) => ({ current: n, total: 10 })).secondsLeft).toBeNull();
    expect(steady((n) => ({ current: n, total: 40 }), new Told().begin('a')).secondsLeft).toBeNull();
    const told = steady((n) => ({ current: n, total: 40 }));
    expect(told.secondsLeft).toBe(20);
    told.progress.finish('failed', told.at);
    expect([told.secondsLeft, told.value.perSecond]).toEqual([null, null]);
  });

  it('[F32] comes back when a total that was too low is raised', () => {
    const told = new Told();
    for (let n = 0; n <= 20; n++) told.after(1).report({ current: n, total: 10 });
    expect(told.secondsLeft).toBeNull();
    expect(told.report({ total: 40 }).secondsLeft).toBe(20);
    expect(told.value).toMatchObject({ percent: 100, current: 20, total: 40 });
  });
});

describe('the progress of children', () => {
  const child = (told: Told, weight = 1) => told.progress.share(weight, () => void told.progress.refresh(told.at))!;

  it('[F34] makes that of their parent, with those that have not begun counted as not done', () => {
    const told = new Told().report({ children: 4, unit: 'images' });
    expect(told.value).toMatchObject({ percent: 0, current: 0, total: 4, unit: 'images' });
    const [a, b] = [child(told), child(told)];
    expect(told.percent).toBe(0);
    a.report(50);
    expect(told.percent).toBe(12.5);
    b.end();
    expect(told.value).toMatchObject({ percent: 37.5, current: 1, total: 4 });
    // Nothing jumps when the others begin.
    const [c, d] = [child(told), child(told)];
    expect(told.percent).toBe(37.5);
    for (const one of [a, c, d]) one.end();
    expect(told.value).toMatchObject({ percent: 100, current: 4, total: 4 });
  });

  it('[F34] counts by weight, never falls, and stays unknown where their number is', () => {
    const told = new Told().report({ children: 4 });
    const heavy = child(told, 3);
    heavy.report(50);
    heavy.report(10);
    heavy.report(null);
    expect(told.percent).toBe(37.5);
    heavy.end();
    heavy.end();
    heavy.report(20);
    expect(told.percent).toBe(75);
    child(told, 6);
    expect(told.report({ children: 4 }).value).toMatchObject({ percent: 75, current: 3, total: 9 });

    const unknown = new Told().report({ children: null });
    child(unknown).end();
    expect(unknown.value).toMatchObject({ percent: null, current: 1, total: null });
  });

  it('[F34] makes that of a step with a weight, and gives it an expected end', () => {
    const told = new Told().announce(['pull', 80], ['start', 20]).begin('pull').report({ children: 10 });
    for (let n = 1; n <= 5; n++) {
      const one = child(told.after(1));
      one.report(50);
      told.after(1);
      one.end();
    }
    expect(told.percent).toBe(40);
    expect(told.secondsLeft).toBeCloseTo(15, 0);
  });

  it('is not taken where it was not asked for', () => {
    expect(new Told().report(5).progress.share(1, () => undefined)).toBeUndefined();
  });
});
