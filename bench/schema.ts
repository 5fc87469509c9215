import { openBenchApp, PREFIX } from './bench-app.js';
import { createBenchDatabase } from './bench-database.js';
import { openFloor } from './floor.js';
import { compare, reportRates } from './measure.js';

const AT_ONCE = 64;
const GOAL = 0.65;
const CALLS = 20_000;

/** What our columns and indexes cost: the driver alone on our tables, against the driver alone on a bare table. */
export async function benchSchema(): Promise<boolean> {
  let allMet = true;
  for (const kind of ['postgres', 'sqlite'] as const) {
    const database = await createBenchDatabase(kind, `schema ${kind}`);
    if (!database) continue;
    const app = await openBenchApp(database);
    const ours = await openFloor(database, PREFIX);
    const theirs = await openFloor(database);
    try {
      const rates = await compare(
        (units) => ours.lifecycles(units, AT_ONCE),
        (units) => theirs.lifecycles(units, AT_ONCE),
        { ours: CALLS, theirs: CALLS },
      );
      allMet = reportRates(`schema ${kind}`, rates, GOAL) && allMet;
    } finally {
      await ours.close();
      await theirs.close();
      await app.close();
      await database.drop();
    }
  }
  return allMet;
}
