import { ActivityError } from '../model/activity-error.js';
import { ActivityStoreError } from '../model/errors.js';
import { withinTime } from './bounded-wait.js';

/** Answers of the store within one span of time, however many questions it takes. */
export class StoreInTime {
  readonly #giveUpAt: number;
  #isOver = false;

  constructor(private readonly timeoutMs: number) {
    this.#giveUpAt = performance.now() + timeoutMs;
  }

  /** True once an answer has not come, or was an error: nothing more is asked then. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws {ActivityStoreError} when the time is over, or the store says so itself. */
  async answer<T>(question: Promise<T>): Promise<T> {
    const late = Symbol('late');
    try {
      const answer = await withinTime(question, Math.max(0, this.#giveUpAt - performance.now()), late);
      if (answer !== late) return answer;
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
    this.#isOver = true;
    throw new ActivityStoreError(`The database did not answer within ${this.timeoutMs} ms.`);
  }
}

/** True for an error that says that the database did not answer, or refused. */
export function isStoreAway(error: unknown): boolean {
  return ActivityError.is(error) && error.code === 'ACTIVITY_STORE_UNAVAILABLE';
}
