const PATIENCE_MS = 10_000;

/**
 * Asks again with each turn of the loop until it holds: for what is written by a timer of the subject.
 * @param options.patienceMs  Default 10 s.
 */
export async function eventually<T>(
  ask: () => Promise<T>,
  holds: (value: T) => boolean,
  { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
): Promise<T> {
  let last: T | undefined;
  // Not by `Date`, which a test may turn.
  for (const end = performance.now() + patienceMs; performance.now() < end;) {
    last = await ask();
    if (holds(last)) return last;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`it did not come to hold within ${patienceMs / 1_000} s, and is ${JSON.stringify(last)}`);
}
