// Not the globals: an app's test that fakes timers must not stop its tracker.
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

/** Runs a step, again while the database is busy. */
export type Attempt = <T>(step: () => Promise<T>) => Promise<T>;

/** How fast something long is done: in steps, with pauses between them in which others have their turn. */
export class Pace {
  /**
   * @param options.rest  how long a pause is, in times of the step before it; 0, for what somebody waits for: one turn of
   *   the event loop, since on better-sqlite3 nothing of a step leaves the turn in which it began.
   */
  constructor(
    private readonly attempt: Attempt,
    private readonly options: { rest: number; signal?: AbortSignal },
  ) {}

  /** True once it is to stop between two steps. */
  get isOver(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await this.attempt(work);
    const { rest } = this.options;
    await (rest === 0 ? nextTurn() : delay((performance.now() - start) * rest));
    return result;
  }
}
