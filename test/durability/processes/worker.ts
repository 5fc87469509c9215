import 'reflect-metadata';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, type ActivityModuleOptions } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';

/** What the worker is told to do, as its last argument. */
export interface WorkerOrder {
  options: DataSourceOptions;
  callers: number;
  activity?: ActivityModuleOptions;
  /** How long each activity works between its lines, in milliseconds. Default 0. */
  workMs?: number;
}

/** What it says on its channel; `s`tart, `l`ine and `e`nd only once their promise has resolved. */
export type WorkerWord =
  | { kind: 'ready' }
  | { kind: 's' | 'e'; id: string }
  | { kind: 'l'; id: string; seq: number }
  | { kind: 'figures'; figures: WorkerFigures };

export interface WorkerFigures {
  calls: number;
  /** How often an activity was told to have settled. */
  settled: number;
  slowestMs: number;
  /** Calls that took longer than `startTimeout`. */
  slow: number;
  delayP99Ms: number;
  peakBytes: number;
  dropped: { activities: number; lines: number };
  warnings: string[];
}

const { options, callers, activity, workMs = 0 } = JSON.parse(process.argv[2]!) as WorkerOrder;
const say = (word: WorkerWord): void => void process.send!(word);
const warnings: string[] = [];
const silent = (): void => undefined;

@Module({ imports: [TypeOrmModule.forRoot(options), ActivityModule.forRoot(activity)] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, {
  logger: { log: silent, error: silent, debug: silent, warn: (text: unknown) => warnings.push(String(text)) },
});
const activities = app.get(ActivityService);
activities.on(({ name }) => {
  if (name === 'settled') settled++;
});
const stop = new AbortController();
let slowestMs = 0;
let slow = 0;
let calls = 0;
let settled = 0;
let peakBytes = 0;

async function caller(): Promise<void> {
  while (!stop.signal.aborted) {
    const begun = performance.now();
    const handle = await activities.start({ type: 'worker.run' });
    if (workMs === 0) say({ kind: 's', id: handle.id });
    for (let seq = 1; seq <= 2; seq++) {
      handle.log.info(`line ${seq}`);
      if (workMs === 0) {
        await handle.flushed();
        say({ kind: 'l', id: handle.id, seq });
      } else await handle.sleep(workMs);
    }
    await handle.succeed();
    say({ kind: 'e', id: handle.id });
    const took = performance.now() - begun;
    slowestMs = Math.max(slowestMs, took);
    if (took > 2_000) slow++;
    calls++;
  }
}

const order = () => new Promise((resolve) => process.once('message', resolve));
const go = order();
say({ kind: 'ready' });
await go;
const LOOK_MS = 5;
const delays = monitorEventLoopDelay({ resolution: LOOK_MS });
delays.enable();
const watch = setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage().rss)), 100);
const work = Array.from({ length: callers }, () => caller());

await order();
stop.abort();
delays.disable();
await Promise.all(work);
// Closing waits 5 s for the last writes, which a database that has just come back may not be ready for.
while (Object.values(activities.stats().waiting).some((count) => count > 0)) {
  await new Promise((resolve) => setImmediate(resolve));
}
const { dropped } = activities.stats();
// It gives the time from one look to the next, with what it meant to wait.
const delayP99Ms = delays.percentile(99) / 1e6 - LOOK_MS;
say({ kind: 'figures', figures: { calls, settled, slowestMs, slow, delayP99Ms, peakBytes, dropped, warnings } });
clearInterval(watch);
await app.close();
process.disconnect();
