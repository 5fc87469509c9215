import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import pg from 'pg';
import { PREFIX } from './bench-app.js';
import { createBenchDatabase } from './bench-database.js';
import type { HttpServerOrder } from './http-server.js';
import { compare, reportRates, type Contender } from './measure.js';
import { expectCount } from './tracked-calls.js';

const CONNECTIONS = 64;
const REQUESTS = 20_000;
const GOALS = { unstored: 0.65, stored: 0.4 };

/**
 * A decorated handler against the same route with an interceptor that does nothing, Fastify, 64 connections: with a store
 * that does nothing, then durable on PostgreSQL. Each server is a process of its own; so many activities as requests are
 * counted afterwards.
 */
export async function benchHttpOverhead(): Promise<boolean> {
  const database = await createBenchDatabase('postgres', 'http-overhead');
  if (!database) return true;
  const untracked = await serve({ mode: 'untracked', options: database.options });
  let allMet = true;
  try {
    for (const mode of ['unstored', 'stored'] as const) {
      const tracked = await serve({ mode, options: database.options });
      const plan = { ours: REQUESTS, theirs: REQUESTS, rounds: 3 };
      const rates = await compare(requests(tracked.url), requests(untracked.url), plan);
      allMet = reportRates(`http-overhead ${mode}`, rates, GOALS[mode]) && allMet;
      await tracked.stop();
    }
    expectCount('activities', await countRows((database.options as { url: string }).url), 4 * REQUESTS);
  } finally {
    await untracked.stop();
    await database.drop();
  }
  return allMet;
}

function requests(url: string): Contender {
  return async (amount) => {
    const { non2xx, errors, '2xx': answered } = await autocannon({ url, connections: CONNECTIONS, amount });
    if (non2xx + errors > 0 || answered !== amount) throw new Error(`${non2xx + errors} of ${amount} requests failed.`);
  };
}

async function serve(order: HttpServerOrder) {
  const script = fileURLToPath(new URL('http-server.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(order)]);
  const [port] = (await once(child, 'message')) as [string];
  return {
    url: `http://127.0.0.1:${port}/work`,
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}

async function countRows(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ n: string }>(
    `SELECT COUNT(*) AS n FROM ${PREFIX}activities WHERE status = 'succeeded'`,
  );
  await client.end();
  return Number(rows[0]!.n);
}
