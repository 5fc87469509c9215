/** One of two things that are measured against each other: does `units` of work and resolves when all of it is done. */
export type Contender = (units: number) => Promise<void>;

export interface Plan {
  /** Of one round of ours, and of theirs: so many that a round takes about a second. */
  ours: number;
  theirs: number;
  rounds?: number;
}

export interface Rates {
  ours: number;
  theirs: number;
  /** Of the rounds' ratios: lowest, median, highest. */
  ratios: [lowest: number, median: number, highest: number];
}

const ROUNDS = 5;

/**
 * Units a second of both, taken in turns on the same machine: first a round of each that only warms up, then some that
 * count. A ratio belongs to one pair of rounds, so that what else the machine does falls on both.
 */
export async function compare(ours: Contender, theirs: Contender, plan: Plan): Promise<Rates> {
  const { rounds = ROUNDS } = plan;
  const pairs: { ours: number; theirs: number }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair = { ours: await rateOf(ours, plan.ours), theirs: await rateOf(theirs, plan.theirs) };
    if (round > 0) pairs.push(pair);
  }
  const ratios = pairs.map((pair) => pair.ours / pair.theirs).toSorted((a, b) => a - b);
  return {
    ours: median(pairs.map((pair) => pair.ours)),
    theirs: median(pairs.map((pair) => pair.theirs)),
    ratios: [ratios[0]!, median(ratios), ratios.at(-1)!],
  };
}

/** Does `call` until it has been done `units` times, `atOnce` of them at any time. */
export function inParallel(atOnce: number, call: () => Promise<unknown>): Contender {
  return async (units) => {
    let left = units;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (left-- > 0) await call();
      }),
    );
  };
}

async function rateOf(contender: Contender, units: number): Promise<number> {
  const start = performance.now();
  await contender(units);
  return units / ((performance.now() - start) / 1000);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** The value that so many percent of the others do not pass. */
export function percentile(values: readonly number[], percent: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * percent) / 100))]!;
}

/** Prints one line. @returns whether the goal is met; true where there is none. */
export function reportRates(row: string, { ours, theirs, ratios }: Rates, goal?: number): boolean {
  const [lowest, middle, highest] = ratios.map((ratio) => ratio.toFixed(2));
  const met = goal === undefined || ratios[1] >= goal;
  const verdict = goal === undefined ? '' : `, goal ${goal}, ${met ? 'meets' : 'misses'}`;
  console.log(
    `${row}: ours ${perSecond(ours)}, theirs ${perSecond(theirs)}, ratio ${middle}${verdict} (${lowest} to ${highest})`,
  );
  return met;
}

/** Prints one line about a figure that may not pass its bound. @returns whether it holds. */
export function reportBound(
  row: string,
  { value, bound, unit }: { value: number; bound: number; unit: string },
): boolean {
  const met = value <= bound;
  console.log(`${row}: ${value.toFixed(2)} ${unit}, goal at most ${bound} ${unit}, ${met ? 'meets' : 'misses'}`);
  return met;
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}
