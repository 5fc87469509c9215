/** Seconds; somebody who looks waits no longer than this to hear of the end. */
const LONGEST = 30;

/**
 * Seconds after which it makes sense to look again, for the header `Retry-After`: half of what is usually left, so that
 * one look comes shortly before the end; where nothing is known, or it takes longer than usual, a quarter of the time that
 * it has taken. A whole number from 1 to 30.
 */
export function retryAfterSeconds({ elapsedMs, usualMs }: { elapsedMs: number; usualMs?: number }): number {
  const leftMs = (usualMs ?? 0) - elapsedMs;
  const seconds = Math.ceil((leftMs > 0 ? leftMs / 2 : elapsedMs / 4) / 1_000);
  return Math.min(LONGEST, Math.max(1, seconds));
}
