import { whenAborted } from './linked-signal.js';
import { afterDelay } from './long-timeout.js';

/** Waits; rejects with the signal's own reason (not an AbortError around it) as soon as it aborts. */
export function abortableSleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    let stopListening = (): void => undefined;
    const wake = (): void => {
      stopListening();
      resolve();
    };
    const stopTimer = afterDelay(ms, wake, { keepsAlive: true });
    if (!signal) return;
    stopListening = whenAborted(signal, () => {
      stopTimer();
      reject(signal.reason as Error);
    });
  });
}
