import { randomBytes } from 'node:crypto';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { findBenchRedis } from './bench-redis.js';

/** BullMQ with one worker that does nothing, on a queue of its own; undefined where Redis does not answer, which is said. */
export async function openBullmqJobs(row: string, concurrency: number) {
  const url = await findBenchRedis(`${row} BullMQ`);
  if (url === undefined) return undefined;
  const { hostname: host, port, username, password } = new URL(url);
  const connection = { host, port: Number(port || 6379), username, password };
  const name = `activity-bench-${randomBytes(4).toString('hex')}`;
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  // Each job that is waited for listens to both.
  queue.setMaxListeners(0);
  events.setMaxListeners(0);
  let processed = 0;
  const worker = new Worker(name, async () => void processed++, { connection, concurrency });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
  return {
    /** Adds a job and waits for its end. */
    async run(): Promise<void> {
      const job = await queue.add('nothing', {});
      await job.waitUntilFinished(events);
    },
    /** Adds a job for lines, which no worker takes. */
    jobForLines: () => queue.add('lines', {}, { delay: 3_600_000 }),
    processed: () => processed,
    async close(): Promise<void> {
      await worker.close();
      await events.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}
