import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createBenchDatabase, type BenchDatabase } from './bench-database.js';
import { findBenchRedis } from './bench-redis.js';
import { percentile, reportBound } from './measure.js';
import { openRemoteApp, type RemoteBus } from './remote-app.js';
import type { RemoteWord } from './remote-worker.js';

const CANCELS = 1_000;
/** Of those that wait for a poll, so many share the second. */
const AT_ONCE_BY_POLL = 100;
const GOAL_MS = { bus: 50, poll: 1_500 };

/** A cancel in one process, the work in another: from the call to the abort, on PostgreSQL. */
export async function benchRemoteCancel(): Promise<boolean> {
  const redis = await findBenchRedis('remote-cancel Redis');
  const buses: [name: string, bus: RemoteBus][] = [
    ['LISTEN/NOTIFY', 'postgres'],
    ['no bus', 'off'],
  ];
  if (redis !== undefined) buses.push(['Redis', { redis }]);
  let allMet = true;
  for (const [name, bus] of buses) {
    const database = await createBenchDatabase('postgres', 'remote-cancel');
    if (!database) return allMet;
    try {
      const times = await timesToAbort(database, bus);
      console.log(`remote-cancel ${name}: p50 ${percentile(times, 50).toFixed(1)} ms of ${times.length} cancels`);
      const bound = bus === 'off' ? GOAL_MS.poll : GOAL_MS.bus;
      allMet = reportBound(`remote-cancel ${name} p99`, { value: percentile(times, 99), bound, unit: 'ms' }) && allMet;
    } finally {
      await database.drop();
    }
  }
  return allMet;
}

/** Milliseconds from each call of `cancel` to the abort in the other process. */
async function timesToAbort({ options }: BenchDatabase, bus: RemoteBus): Promise<number[]> {
  const app = await openRemoteApp({ options, bus });
  const worker = fork(fileURLToPath(new URL('remote-worker.ts', import.meta.url)), [JSON.stringify({ options, bus })]);
  await once(worker, 'message');
  const atOnce = bus === 'off' ? AT_ONCE_BY_POLL : 1;
  const times: number[] = [];
  const askedAt = new Map<string, bigint>();
  const cancel = async (id: string): Promise<void> => {
    // At any moment between two polls.
    if (bus === 'off') await delay(Math.random() * 1_000);
    askedAt.set(id, process.hrtime.bigint());
    await app.activities.cancel(id, { by: 'bench' });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      let left = CANCELS;
      const begin = (): void => void (left-- > 0 && worker.send('begin'));
      worker.on('message', (word: RemoteWord) => {
        if (word.kind === 'running') cancel(word.id).catch(reject);
        if (word.kind !== 'aborted') return;
        times.push(Number(BigInt(word.at) - askedAt.get(word.id)!) / 1e6);
        if (times.length === CANCELS) resolve();
        else begin();
      });
      for (let n = 0; n < atOnce; n++) begin();
    });
    return times;
  } finally {
    const exited = once(worker, 'exit');
    worker.kill();
    await exited;
    await app.close();
  }
}
