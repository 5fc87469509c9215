import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 20_000;
const PAUSE_MS = 25;

/**
 * Asks again until the answer is there: for what another process does, of which no event reaches the test.
 * @param ask  undefined, or an error, is "not yet".
 * @throws the last error when the patience is over.
 */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    let why: unknown;
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      why = error;
    }
    if (Date.now() > deadline) throw why ?? new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    await delay(PAUSE_MS);
  }
}
