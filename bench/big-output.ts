import { spawn } from 'node:child_process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pipeline } from 'node:stream/promises';
import { openBenchApp } from './bench-app.js';
import { createBenchDatabase } from './bench-database.js';
import { reportBound } from './measure.js';

const LINE_BYTES = 100;
const LINES = 10_000_000;
const CAP = 10_000;

/** Prints so many lines of a hundred bytes, a thousand at a time, as fast as they are taken. */
const CHATTER = `
const [count] = process.argv.slice(1).map(Number);
const line = (n) => 'line ' + String(n).padStart(10, '0') + ' ' + 'x'.repeat(${LINE_BYTES - 17}) + '\\n';
let n = 0;
function go() {
  while (n < count) {
    let text = '';
    for (const end = Math.min(count, n + 1000); n < end; ) text += line(++n);
    if (!process.stdout.write(text)) return process.stdout.once('drain', go);
  }
}
go();
`;

/** 1 GB of a child process's output through `stdout`, on the databases there are. */
export async function benchBigOutput(): Promise<boolean> {
  let allMet = true;
  for (const kind of ['sqlite', 'postgres'] as const) {
    const database = await createBenchDatabase(kind, 'big-output');
    if (!database) continue;
    const app = await openBenchApp(database, { maxMessages: CAP });
    try {
      await say(app.activities, LINES / 100);
      const row = `big-output ${kind}`;
      const { seconds, extraBytes, delayMs, kept, total } = await measured(app.activities);
      console.log(`${row}: ${Math.round(LINES / seconds).toLocaleString('en')} lines/s, ${seconds.toFixed(1)} s`);
      allMet = reportBound(`${row} memory`, { value: extraBytes / 1e6, bound: 120, unit: 'MB' }) && allMet;
      allMet = reportBound(`${row} event loop p99`, { value: delayMs, bound: 50, unit: 'ms' }) && allMet;
      allMet =
        reportBound(`${row} lines missing`, { value: LINES - total + kept.missing, bound: 0, unit: '' }) && allMet;
    } finally {
      await app.close();
      await database.drop();
    }
  }
  return allMet;
}

type Activities = Awaited<ReturnType<typeof openBenchApp>>['activities'];

async function say(activities: Activities, lines: number): Promise<string> {
  const { id, done } = await activities.runInBackground({ type: 'bench.output' }, async (activity) => {
    const child = spawn(process.execPath, ['-e', CHATTER, String(lines)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await pipeline(child.stdout, activity.stdout);
    await activity.flushed();
  });
  await done;
  return id;
}

async function measured(activities: Activities) {
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const start = performance.now();
  const id = await say(activities, LINES);
  const seconds = (performance.now() - start) / 1000;
  delay.disable();
  clearInterval(watch);
  const { messageCount: total } = (await activities.get(id))!;
  const kept = await keptOf(activities, id);
  return { seconds, extraBytes: most - before, delayMs: delay.percentile(99) / 1e6, total, kept };
}

/** Of the first half and the newest that the cap keeps, how many are not there. */
async function keptOf(activities: Activities, id: string): Promise<{ missing: number }> {
  const seqs = new Set<number>();
  for (let after = 0; ;) {
    const messages = await activities.messages(id, { after, limit: 1_000 });
    for (const { seq, source } of messages) if (source === 'stdout') seqs.add(seq);
    if (messages.length < 1_000) break;
    after = messages.at(-1)!.seq;
  }
  const newest = CAP / 2 - CAP / 10 - 1;
  const due = [
    ...Array.from({ length: CAP / 2 }, (_, place) => place + 1),
    ...Array.from({ length: newest }, (_, place) => LINES - place),
  ];
  return { missing: due.filter((seq) => !seqs.has(seq)).length };
}
