const FIRST_MS = 100;
const LONGEST_MS = 10_000;

/** 100 ms, doubling up to 10 s, up to a half less: after an outage not all processes come at the same moment. */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
}
