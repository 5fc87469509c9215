import { errorText } from '../model/stored-error.js';
import { withinTime } from './bounded-wait.js';

/**
 * What the calls of this process know of the store. A start that was not recorded within `startTimeout` says that the
 * store is away (or the store knows it by its errors); from then on nobody waits for it, until something that was asked of
 * it meanwhile has landed.
 */
export class StoreWatch {
  #isAway = false;
  #isRefusing = false;

  constructor(
    private readonly startTimeout: number,
    private readonly store: { readonly isAway: boolean },
    private readonly logger: { warn(text: string): void; log(text: string): void },
  ) {}

  /** How long the work waits for a write, in milliseconds. */
  get patience(): number {
    return this.#isAway || this.store.isAway ? 0 : this.startTimeout;
  }

  /**
   * Waits for the first row of an activity.
   * @returns undefined when it is durable; else what kept it.
   */
  async recorded(
    start: Promise<unknown>,
    { type, patience = this.patience }: { type: string; patience?: number },
  ): Promise<{ why: string; cause?: unknown } | undefined> {
    try {
      if (
        await withinTime(
          start.then(() => true),
          patience,
          false,
        )
      ) {
        this.#isBack();
        return undefined;
      }
    } catch (cause) {
      const why = errorText(cause);
      if (!this.#isRefusing && !this.#isAway) this.#warn(why, type);
      this.#isRefusing = true;
      return { why, cause };
    }
    start.then(
      () => this.#isBack(),
      () => undefined,
    );
    const why = `the database did not answer within ${this.startTimeout} ms`;
    if (!this.#isAway && !this.#isRefusing) this.#warn(why, type);
    this.#isAway = true;
    return { why };
  }

  /** One warning for each outage, not for each call. */
  #warn(why: string, type: string): void {
    this.logger.warn(
      `Activities cannot be recorded: ${why}. The work runs all the same (first: "${type}"), ` +
        "and its record is written when the database is back; `onStoreFailure: 'reject'` would refuse it.",
    );
  }

  #isBack(): void {
    if (!this.#isAway && !this.#isRefusing) return;
    this.#isAway = false;
    this.#isRefusing = false;
    this.logger.log('Activities are recorded again.');
  }
}
