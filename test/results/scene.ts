import { once } from 'node:events';
import { ConflictException, Injectable } from '@nestjs/common';
import { currentActivity } from 'nestjs-activity';
import { deferred } from '../support/deferred.js';
import type { Ending } from './ending.js';

/** One call of a handler, as the test directs and observes it. */
export class Scene {
  /** How often the body was called. */
  runs = 0;
  /** What is open now: subscriptions, generators, streams. */
  readonly open = new Set<string>();
  /** Activities that the body was in, at its start and at each half. */
  readonly ids = new Set<string>();
  readonly half = deferred();
  readonly goOn = deferred();
  #whenClosed: (() => void)[] = [];

  constructor(readonly ending: Ending) {}

  run(): void {
    this.runs++;
    this.ids.add(currentActivity().id);
  }

  /** The middle of work that does not heed a signal, as a source of values may. */
  async pause(): Promise<void> {
    this.ids.add(currentActivity().id);
    currentActivity().log.info('half');
    this.half.resolve();
    await this.goOn.promise;
    if (this.ending === 'throws') throw new ConflictException('half-way');
  }

  /** The middle of work that heeds the signal of its activity. */
  async work(): Promise<void> {
    const { signal } = currentActivity();
    await Promise.race([
      this.pause(),
      once(signal, 'abort').then(() => {
        throw signal.reason as Error;
      }),
    ]);
  }

  /** @returns to be called when it is closed. */
  opened(what: string): () => void {
    this.open.add(what);
    return () => {
      this.open.delete(what);
      if (this.open.size === 0) for (const tell of this.#whenClosed.splice(0)) tell();
    };
  }

  whenClosed(): Promise<void> {
    return this.open.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenClosed.push(resolve));
  }
}

/** Hands the scene of the test to the handlers. */
@Injectable()
export class Stage {
  scene = new Scene('well');

  begin(ending: Ending): Scene {
    return (this.scene = new Scene(ending));
  }
}
