export interface Load {
  /** Of one round. */
  calls: number;
  rounds: number;
  atOnce: number;
}

/** Calls a second, the median of some rounds after one that only warms up. */
export async function medianRate({ calls, rounds, atOnce }: Load, call: () => Promise<unknown>): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    let left = calls;
    const start = performance.now();
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (left-- > 0) await call();
      }),
    );
    if (round > 0) rates.push(calls / ((performance.now() - start) / 1000));
  }
  return rates.toSorted((a, b) => a - b)[rounds >> 1]!;
}

/** Prints one line. @returns whether the goal is met; true where there is none. */
export function reportGoal(
  row: string,
  { ours, theirs, goal }: { ours: number; theirs: number; goal?: number },
): boolean {
  const ratio = ours / theirs;
  const met = goal === undefined || ratio >= goal;
  const verdict = goal === undefined ? '' : `, goal ${goal}, ${met ? 'meets' : 'misses'}`;
  console.log(`${row}: ours ${perSecond(ours)}, theirs ${perSecond(theirs)}, ratio ${ratio.toFixed(2)}${verdict}`);
  return met;
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}
