/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `callback` once after `delayMs`, which may be longer than Node's timers reach (24.8 days).
 * @param options.keepsAlive  whether the timer keeps the process alive. Default false.
 * @returns a function that gives it up; calling it twice is harmless.
 */
export function afterDelay(
  delayMs: number,
  callback: () => void,
  { keepsAlive = false }: { keepsAlive?: boolean } = {},
): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const nextMs = Math.min(leftMs, LONGEST_TIMER_MS);
    timer = setTimeout(() => (leftMs > nextMs ? wait(leftMs - nextMs) : callback()), nextMs);
    if (!keepsAlive) timer.unref();
  };
  wait(delayMs);
  return () => clearTimeout(timer);
}
