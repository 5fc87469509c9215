import type { ActivityQuery, ActivityService } from 'nestjs-activity';
import { fill, openBenchApp } from './bench-app.js';
import { createBenchDatabase, type BenchDatabaseKind } from './bench-database.js';
import { GENERATED } from './generated-history.js';
import { percentile, reportBound } from './measure.js';

const SMALL = 10_000;
const LARGE = 1_000_000;
const LINES_EACH = 10;
const RUNS = 200;
const GOAL = 2;
/** Text and counts look at so many rows at most; this is what they may take for them. */
const BOUNDED_MS = 500;

type Read = (activities: ActivityService) => Promise<unknown>;

const list =
  (query: ActivityQuery): Read =>
  (activities) =>
    activities.list(query);
const reads: Record<string, Read> = {
  'first page': list({}),
  'by status': list({ status: 'failed' }),
  'active and failed': list({ status: ['running', 'queued', 'cancelling', 'failed'] }),
  'by type and actor': list({ type: GENERATED.type, actorId: GENERATED.actor }),
  'by resource': list({ resourceType: 'image', resourceId: GENERATED.resource }),
};

/** The first page by several filters, and page 1,000 by cursor: p95 of a million activities against that of 10,000. */
export async function benchListAtScale(): Promise<boolean> {
  let allMet = true;
  for (const kind of ['postgres', 'sqlite'] as const) {
    const small = await measure(kind, SMALL);
    const large = await measure(kind, LARGE);
    if (!small || !large) continue;
    for (const name of Object.keys(small.times)) {
      const [few, many] = [small.times[name]!, large.times[name]!];
      console.log(
        `list-at-scale ${kind} ${name}: p95 ${few.toFixed(2)} ms at ${SMALL}, ${many.toFixed(2)} ms at ${LARGE}`,
      );
      const unit = '× p95 at 10,000';
      allMet = reportBound(`list-at-scale ${kind} ${name}`, { value: many / few, bound: GOAL, unit }) && allMet;
    }
    for (const [name, value] of Object.entries(large.bounded)) {
      allMet = reportBound(`list-at-scale ${kind} ${name}`, { value, bound: BOUNDED_MS, unit: 'ms' }) && allMet;
    }
  }
  return allMet;
}

async function measure(kind: BenchDatabaseKind, activities: number) {
  const database = await createBenchDatabase(kind, 'list-at-scale');
  if (!database) return undefined;
  const app = await openBenchApp(database, { retention: false });
  try {
    await fill(database, { activities, linesEach: LINES_EACH });
    const service = app.activities;
    const cursor = await cursorOfPage(service, 1_000);
    const times: Record<string, number> = {};
    for (const [name, read] of Object.entries({ ...reads, 'page 1,000': list({ limit: 5, cursor }) })) {
      times[name] = await p95(() => read(service), RUNS);
    }
    const text = 'no such text anywhere';
    const bounded = {
      'free text, nothing found': await p95(() => service.list({ search: text }), 20),
      'free text within a type': await p95(() => service.list({ search: text, type: GENERATED.type }), 20),
      'count of all': await p95(() => service.count({}), 20),
      'count of a type': await p95(() => service.count({ type: GENERATED.type }), 20),
    };
    return { times, bounded };
  } finally {
    await app.close();
    await database.drop();
  }
}

async function cursorOfPage(activities: ActivityService, page: number): Promise<string> {
  let cursor: string | undefined;
  for (let number = 1; number < page; number++) {
    cursor = (await activities.list({ limit: 5, cursor })).nextCursor ?? undefined;
  }
  return cursor!;
}

async function p95(read: () => Promise<unknown>, runs: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs + 5; run++) {
    const start = performance.now();
    await read();
    if (run >= 5) times.push(performance.now() - start);
  }
  return percentile(times, 95);
}
