import { openBenchApp, PREFIX } from './bench-app.js';
import { createBenchDatabase } from './bench-database.js';
import { openFloor } from './floor.js';
import { median, reportBound } from './measure.js';

const GOAL = 1.35;
const CALLS = 1_000;
const ROUNDS = 5;

/** One call at a time, start and end durable, on PostgreSQL: its p50 against one insert and one update by the driver. */
export async function benchTrackedLatency(): Promise<boolean> {
  const database = await createBenchDatabase('postgres', 'tracked-latency');
  if (!database) return true;
  const app = await openBenchApp(database);
  const floor = await openFloor(database, PREFIX);
  try {
    const ratios: number[] = [];
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const one = await medianLatency(() => app.nothing.work());
      const other = await medianLatency(() => floor.lifecycles(1, 1));
      if (round === 0) continue;
      ours.push(one);
      theirs.push(other);
      ratios.push(one / other);
    }
    console.log(
      `tracked-latency postgres: ours p50 ${median(ours).toFixed(2)} ms, theirs p50 ${median(theirs).toFixed(2)} ms`,
    );
    return reportBound('tracked-latency postgres', { value: median(ratios), bound: GOAL, unit: '× insert + update' });
  } finally {
    await floor.close();
    await app.close();
    await database.drop();
  }
}

async function medianLatency(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < CALLS; count++) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return median(times);
}
