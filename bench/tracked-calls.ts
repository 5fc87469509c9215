import { createBenchDatabase, type BenchDatabaseKind } from './bench-database.js';
import { openBenchApp, PREFIX } from './bench-app.js';
import { openBullmqJobs } from './bullmq-jobs.js';
import { openFloor } from './floor.js';
import { compare, inParallel, reportRates, type Contender } from './measure.js';
import { openNaiveSaves } from './naive-saves.js';

const AT_ONCE = 64;
const GOALS: Record<BenchDatabaseKind, { floor: number; saves?: number; bullmq?: number }> = {
  postgres: { floor: 0.7, saves: 20, bullmq: 6 },
  sqlite: { floor: 0.75 },
};
const CALLS: Record<BenchDatabaseKind, number> = { postgres: 8_000, sqlite: 10_000 };

/**
 * `@TrackedActivity` on a provider method that does nothing, 64 at once, start and end durable: against the driver
 * alone, against BullMQ and against TypeORM's `save()` twice, each in turns with ours. All are counted afterwards.
 */
export async function benchTrackedCalls(): Promise<boolean> {
  let allMet = true;
  for (const kind of ['postgres', 'sqlite'] as const) allMet = (await benchOn(kind)) && allMet;
  return allMet;
}

async function benchOn(kind: BenchDatabaseKind): Promise<boolean> {
  const row = `tracked-calls ${kind}`;
  const database = await createBenchDatabase(kind, row);
  if (!database) return true;
  const calls = CALLS[kind];
  const goals = GOALS[kind];
  const app = await openBenchApp(database);
  let made = 0;
  const ours: Contender = async (units) => {
    await inParallel(AT_ONCE, () => app.nothing.work())(units);
    made += units;
  };
  let allMet = true;
  try {
    const floor = await openFloor(database, PREFIX);
    const theirs: Contender = async (units) => {
      await floor.lifecycles(units, AT_ONCE);
      made += units;
    };
    allMet =
      reportRates(`${row} floor`, await compare(ours, theirs, { ours: calls, theirs: calls * 2 }), goals.floor) &&
      allMet;
    await floor.close();

    const bullmq = goals.bullmq === undefined ? undefined : await openBullmqJobs(row, AT_ONCE);
    if (bullmq) {
      const rates = await compare(
        ours,
        inParallel(AT_ONCE, () => bullmq.run()),
        { ours: calls, theirs: 2_000, rounds: 3 },
      );
      expectCount('jobs of BullMQ', bullmq.processed(), 4 * 2_000);
      allMet = reportRates(`${row} BullMQ`, rates, goals.bullmq) && allMet;
      await bullmq.close();
    }

    const saves = await openNaiveSaves(database);
    const saved = kind === 'sqlite' ? 2_000 : 600;
    const rates = await compare(
      ours,
      inParallel(AT_ONCE, () => saves.save()),
      { ours: calls, theirs: saved, rounds: 3 },
    );
    expectCount('rows saved', await saves.count(), 4 * saved);
    allMet = reportRates(`${row} save()`, rates, goals.saves) && allMet;
    await saves.close();

    expectCount('activities', await app.succeeded(), made);
  } finally {
    await app.close();
    await database.drop();
  }
  return allMet;
}

export function expectCount(what: string, counted: number, expected: number): void {
  if (counted !== expected)
    throw new Error(`${counted} ${what} were counted, ${expected} were made: the figures mean nothing.`);
}
