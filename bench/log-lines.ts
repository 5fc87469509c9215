import type { ActivityHandle } from 'nestjs-activity';
import { openBenchApp, PREFIX } from './bench-app.js';
import { createBenchDatabase, type BenchDatabaseKind } from './bench-database.js';
import { openBullmqJobs } from './bullmq-jobs.js';
import { LINE, openFloor } from './floor.js';
import { compare, inParallel, reportRates, type Contender } from './measure.js';
import { expectCount } from './tracked-calls.js';

const GOALS: Record<BenchDatabaseKind, number> = { postgres: 0.8, sqlite: 0.95 };
const BULLMQ_GOAL = 6;
const LINES = 100_000;
const BATCH = 256;

/**
 * Lines of one activity, then of 100 at once, by `writer()` and by `log.info`, each durable, against the driver alone
 * writing 256 lines a batch to the same table, and against BullMQ's `job.log()`.
 */
export async function benchLogLines(): Promise<boolean> {
  let allMet = true;
  for (const kind of ['postgres', 'sqlite'] as const) allMet = (await benchOn(kind)) && allMet;
  return allMet;
}

async function benchOn(kind: BenchDatabaseKind): Promise<boolean> {
  const row = `log-lines ${kind}`;
  const database = await createBenchDatabase(kind, row);
  if (!database) return true;
  // The cap is far away: each line is to be written.
  const app = await openBenchApp(database, { maxMessages: 100_000_000 });
  const floor = await openFloor(database, PREFIX);
  let allMet = true;
  let written = 0;
  try {
    for (const activities of [1, 100]) {
      for (const [how, write] of Object.entries(ways)) {
        const ours: Contender = async (units) => {
          const handles = await Promise.all(
            Array.from({ length: activities }, () => app.activities.start({ type: 'bench.lines' })),
          );
          await Promise.all(handles.map((handle) => write(handle, units / activities)));
          await Promise.all(handles.map((handle) => handle.succeed()));
          written += units;
        };
        const theirs: Contender = async (units) => {
          const ids = await floor.activityIds(activities);
          await floor.lines(units, { batch: BATCH, activityIds: ids });
          written += units;
        };
        const rates = await compare(ours, theirs, { ours: LINES, theirs: LINES, rounds: 3 });
        allMet = reportRates(`${row} ${how} of ${activities}`, rates, GOALS[kind]) && allMet;
        if (kind === 'postgres' && how === 'log.info') {
          const bullmq = await openBullmqJobs(row, 1);
          if (!bullmq) continue;
          const jobs = await Promise.all(Array.from({ length: activities }, () => bullmq.jobForLines()));
          let next = 0;
          const job = inParallel(64, () => jobs[next++ % jobs.length]!.log(LINE));
          const against = await compare(ours, job, { ours: LINES, theirs: 20_000, rounds: 3 });
          allMet = reportRates(`${row} ${how} of ${activities} BullMQ`, against, BULLMQ_GOAL) && allMet;
          await bullmq.close();
        }
      }
    }
    expectCount('lines', await app.lines(), written);
    expectCount('lines left out', app.activities.stats().dropped.lines, 0);
  } finally {
    await floor.close();
    await app.close();
    await database.drop();
  }
  return allMet;
}

const ways: Record<string, (handle: ActivityHandle, lines: number) => Promise<void>> = {
  // A chunk as a child process gives it: some 64 KB.
  'writer()': async (handle, lines) => {
    const writer = handle.writer();
    for (let left = lines; left > 0; left -= 1_000) {
      const chunk = `${LINE}\n`.repeat(Math.min(left, 1_000));
      if (!writer.write(chunk)) await new Promise((resolve) => writer.once('drain', resolve));
    }
    await new Promise<void>((resolve) => writer.end(resolve));
  },
  // As work logs: some lines, then something that it waits for. Lines that nobody waits for may be left out.
  'log.info': async (handle, lines) => {
    for (let line = 1; line <= lines; line++) {
      handle.log.info(LINE);
      if (line % 250 === 0) await handle.flushed();
    }
  },
};
