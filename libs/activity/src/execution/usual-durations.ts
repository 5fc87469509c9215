import type { UsualDuration } from '../model/activity.js';
import type { DurationsOf } from '../storage/activity-store.js';

const LEAST_RUNS = 5;
const KEPT_MS = 60_000;
const MAX_KEPT = 500;

/**
 * How long activities of a type usually take, from its history. What was read is kept for a minute, and read once for
 * all who ask meanwhile.
 */
export class UsualDurations {
  readonly #kept = new Map<string, { until: number; usual: Promise<UsualDuration | null> }>();

  /**
   * @param read  milliseconds of the newest successes.
   * @param now   milliseconds of a clock that never runs back.
   */
  constructor(
    private readonly read: (of: DurationsOf) => Promise<readonly number[]>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Null with too few successes to say. */
  of(of: DurationsOf): Promise<UsualDuration | null> {
    const key = JSON.stringify([of.type, of.scope]);
    const kept = this.#kept.get(key);
    if (kept && this.now() < kept.until) return kept.usual;
    const usual = this.read(of).then(usualOf);
    this.#kept.delete(key);
    this.#kept.set(key, { until: this.now() + KEPT_MS, usual });
    // A failure is not kept; whoever asked hears of it.
    usual.catch(() => this.#kept.get(key)?.usual === usual && this.#kept.delete(key));
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(oldest!);
    return usual;
  }
}

/** The middle half of what was measured, and its median; in whole milliseconds. */
export function usualOf(durations: readonly number[]): UsualDuration | null {
  if (durations.length < LEAST_RUNS) return null;
  const sorted = durations.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    fromMs: quantile(sorted, 0.25),
    medianMs: quantile(sorted, 0.5),
    toMs: quantile(sorted, 0.75),
  };
}

/** @see Hyndman & Fan (1996), type 7: between the two neighbours, as spreadsheets and NumPy have it. */
function quantile(sorted: readonly number[], part: number): number {
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return Math.round(below + (above - below) * (place - Math.floor(place)));
}
