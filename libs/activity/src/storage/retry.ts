// Not the globals: an app's test that fakes timers must not stop its tracker from writing.
import { setTimeout as delay } from 'node:timers/promises';
import { isTransient } from './database-errors.js';

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 1_000;

/** How long to wait before the next attempt: 20 ms, doubling up to a second, a little apart for each process. */
function backoffMs(attempt: number): number {
  const base = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 6));
  return base * (0.75 + Math.random() / 4);
}

/** Resolves after the delay of `attempt`, or at once when `signal` aborts. */
export async function backoff(attempt: number, signal?: AbortSignal): Promise<void> {
  await delay(backoffMs(attempt), undefined, signal ? { signal } : {}).catch(() => undefined);
}

/**
 * Tries again while the database is busy or away.
 * @param patienceMs how long; then the last error is thrown.
 * @param signal stops the trying, with the last error.
 */
export async function whileTransient<T>(
  work: () => T | Promise<T>,
  { patienceMs, signal }: { patienceMs: number; signal?: AbortSignal },
): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || signal?.aborted || performance.now() >= giveUpAt) throw error;
      await backoff(attempt, signal);
    }
  }
}

/** True when `promise` has ended, either way, before `ms` are over. */
export async function endsWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const ended = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([ended, delay(ms, false, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
