import { afterDelay } from './long-timeout.js';

/** Resolves with what `promise` gives, or with `late` once `timeoutMs` is over; a rejection passes through. */
export function withinTime<T, L>(promise: PromiseLike<T>, timeoutMs: number, late: L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const giveUp = afterDelay(timeoutMs, () => resolve(late));
    const settled = (settle: () => void): void => {
      giveUp();
      settle();
    };
    promise.then(
      (value) => settled(() => resolve(value)),
      (error: unknown) => settled(() => reject(error)),
    );
  });
}
