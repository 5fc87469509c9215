import { whenAborted } from './linked-signal.js';

/** What `promise` gives; rejects with the signal's reason as soon as it aborts. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = whenAborted(signal, () => reject(signal.reason as Error));
    promise.then(resolve, reject).finally(stop);
  });
}
