/**
 * Calls `onAbort` when `signal` aborts, at once if it already has.
 * @returns a function that takes the listener away, so a long-lived parent keeps nothing of what has ended.
 */
export function whenAborted(signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) {
    onAbort();
    return () => undefined;
  }
  signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}
