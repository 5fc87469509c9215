import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, cancellationOf, type ActivityContext } from 'nestjs-activity';
import type { ReplicaOrder, ReplicaTask, ReplicaWord } from './replica-words.js';

const { options, activity } = JSON.parse(process.argv[2]!) as ReplicaOrder;
const say = (word: ReplicaWord): void => void process.send!(word);
const silent = (): void => undefined;

@Module({ imports: [TypeOrmModule.forRoot(options), ActivityModule.forRoot(activity)] })
class ReplicaModule {}

const app = await NestFactory.createApplicationContext(ReplicaModule, {
  logger: {
    log: silent,
    error: silent,
    debug: silent,
    warn: (text: unknown) => say({ kind: 'warning', text: String(text) }),
  },
});
const activities = app.get(ActivityService);
let letGo!: () => void;
const released = new Promise<void>((resolve) => (letGo = resolve));

const work: Record<ReplicaTask['work'], (activity: ActivityContext, ms: number) => Promise<void>> = {
  /** Until it is told to end, or aborted. */
  async wait(running) {
    running.log.info('begun');
    await running.flushed();
    await Promise.race([released, running.sleep(600_000)]);
  },
  /** Keeps the event loop for itself. */
  async block(running, ms) {
    running.log.info('begun');
    await running.flushed();
    say({ kind: 'begun', id: running.id });
    for (const end = performance.now() + ms; performance.now() < end;);
  },
  /** The same in pieces, between which others have their turn. */
  async grind(running, ms) {
    for (const end = performance.now() + ms; performance.now() < end;) {
      for (const pause = performance.now() + 50; performance.now() < pause;);
      await running.sleep(0);
    }
  },
};

async function start({ task, work: kind, ms = 0, ...keys }: ReplicaTask): Promise<void> {
  const { id, signal, done } = await activities.runInBackground({ type: kind, ...keys }, (running) =>
    work[kind](running, ms),
  );
  signal.addEventListener('abort', () => say({ kind: 'aborted', id, reason: cancellationOf(signal)!.abortReason }));
  say({ kind: 'started', id, task });
  done.then(
    () => say({ kind: 'ended', id, error: null }),
    (error: unknown) => say({ kind: 'ended', id, error: String(error) }),
  );
}

process.on('message', (order: ReplicaTask | 'let go' | 'close') => {
  if (order === 'let go') letGo();
  else if (order === 'close') void app.close().then(() => process.exit());
  else void start(order);
});
say({ kind: 'ready', time: Date.now() });
