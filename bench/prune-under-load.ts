import { fill, openBenchApp } from './bench-app.js';
import { createBenchDatabase } from './bench-database.js';
import { reportBound } from './measure.js';
import { expectCount } from './tracked-calls.js';

const OLD = 500_000;
const LINES_EACH = 2;
const GOAL = 3;
const AT_ONCE = 4;
const IDLE_MS = 10_000;

/** Deletes 500,000 old activities while calls go on: p99 of a tracked call, against that of the time before. */
export async function benchPruneUnderLoad(): Promise<boolean> {
  let allMet = true;
  for (const kind of ['postgres', 'sqlite'] as const) {
    const database = await createBenchDatabase(kind, 'prune-under-load');
    if (!database) continue;
    const app = await openBenchApp(database, { retention: { maxAge: '1s', maxCount: false, minAge: 1, every: false } });
    try {
      await fill(database, { activities: OLD, linesEach: LINES_EACH });
      await callsUntil(app.nothing, delayed(2_000));
      const idle = await callsUntil(app.nothing, delayed(IDLE_MS));
      const start = performance.now();
      let deleted = 0;
      const busy = await callsUntil(
        app.nothing,
        app.activities.prune().then(({ activities }) => void (deleted = activities)),
      );
      const seconds = (performance.now() - start) / 1_000;
      // The calls themselves end and grow old meanwhile, so more may go than were there.
      if (deleted < OLD - 20) expectCount('activities deleted', deleted, OLD - 20);
      console.log(
        `prune-under-load ${kind}: ${deleted} deleted in ${seconds.toFixed(0)} s; p99 of a call idle ${idle.toFixed(2)} ms, meanwhile ${busy.toFixed(2)} ms`,
      );
      allMet =
        reportBound(`prune-under-load ${kind}`, { value: busy / idle, bound: GOAL, unit: '× p99 idle' }) && allMet;
    } finally {
      await app.close();
      await database.drop();
    }
  }
  return allMet;
}

/** A few calls at once, again and again. @returns the p99 of how long one took, in milliseconds. */
async function callsUntil(nothing: { work(): Promise<void> }, end: Promise<void>): Promise<number> {
  const times: number[] = [];
  const until = { isOver: false };
  const over = end.finally(() => (until.isOver = true));
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (!until.isOver) {
        const start = performance.now();
        await nothing.work();
        times.push(performance.now() - start);
        // Calls come now and then: a loop without a pause would measure itself.
        await delayed(5);
      }
    }),
  );
  await over;
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]!;
}

function delayed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
