import type { ActivityCancelledError } from '../model/cancellation.js';
import { errorText } from '../model/stored-error.js';
import { withinTime } from './bounded-wait.js';

/**
 * Cleans up after work that is stopped. It gets why, and a signal of its own that aborts when its budget is over. What it
 * throws becomes a warning in the log.
 */
export type CancelHook = (
  cancellation: ActivityCancelledError,
  options: { signal: AbortSignal },
) => void | PromiseLike<void>;

interface WaitingHook {
  run: CancelHook;
  budgetMs: number;
}

export interface CancelHooksListener {
  /** Calls a hook with the activity around it. */
  within(work: () => unknown): Promise<void>;
  warn(text: string): void;
}

/**
 * What is to be cleaned up when the work is stopped: one after the other, the newest first, each within its own budget.
 * @see the disposal order of `AsyncDisposableStack`
 */
export class CancelHooks {
  readonly #waiting: WaitingHook[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #signals = new Set<AbortController>();
  #cancellation: ActivityCancelledError | undefined;
  #closed = false;

  constructor(private readonly listener: CancelHooksListener) {}

  /**
   * One that comes after the abort runs at once.
   * @returns a function that takes it away, so that it is not called; harmless when it has been.
   */
  add(run: CancelHook, budgetMs: number): () => void {
    if (this.#closed) return () => undefined;
    const hook = { run, budgetMs };
    if (this.#cancellation) {
      this.#follow(this.#call(hook, this.#cancellation));
      return () => undefined;
    }
    this.#waiting.push(hook);
    return () => {
      const place = this.#waiting.lastIndexOf(hook);
      if (place >= 0) this.#waiting.splice(place, 1);
    };
  }

  /** The signal has aborted: calls them, the newest at once. */
  run(cancellation: ActivityCancelledError): void {
    this.#cancellation = cancellation;
    if (this.#waiting.length > 0) this.#follow(this.#callAll(cancellation));
  }

  /** Undefined when none runs; else resolves when all have ended or have used up their budgets. */
  whenDone(): Promise<void> | undefined {
    return this.#running.size === 0 ? undefined : this.#all();
  }

  /** Nobody waits for those that run any more: their signals abort. */
  leave(why: unknown): void {
    for (const controller of this.#signals) controller.abort(why);
  }

  /** The work has ended: none is called any more, and none is kept. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  async #all(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #follow(run: Promise<void>): void {
    const followed = run.finally(() => this.#running.delete(followed));
    this.#running.add(followed);
  }

  async #callAll(cancellation: ActivityCancelledError): Promise<void> {
    for (let hook = this.#waiting.pop(); hook; hook = this.#waiting.pop()) await this.#call(hook, cancellation);
  }

  async #call({ run, budgetMs }: WaitingHook, cancellation: ActivityCancelledError): Promise<void> {
    const controller = new AbortController();
    this.#signals.add(controller);
    const late = Symbol('late');
    try {
      const work = this.listener.within(() => run(cancellation, { signal: controller.signal }));
      const end = await withinTime(work, budgetMs, late);
      if (end !== late) return;
      this.listener.warn(`A clean-up has not ended within its budget of ${budgetMs} ms; it may still be running.`);
      controller.abort(new DOMException(`The budget of ${budgetMs} ms is over.`, 'TimeoutError'));
    } catch (error) {
      this.listener.warn(`A clean-up failed: ${errorText(error)}`);
    } finally {
      this.#signals.delete(controller);
    }
  }
}
