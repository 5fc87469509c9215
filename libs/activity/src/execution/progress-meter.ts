import type { Progress } from '../model/activity.js';

/** What `activity.progress()` takes: percent, or counts (and a unit) from which percent follows. */
export type ProgressReport = number | { current?: number; total?: number | null; unit?: string | null };

/**
 * Keeps the progress of one activity honest: never backwards, never past 100 %, percent rounded to two decimals.
 * An unknown total leaves percent unknown; a `current` past the total is kept as it is. Numbers that are none are ignored.
 */
export class ProgressMeter {
  #percent: number | null = null;
  #current: number | null = null;
  #total: number | null = null;
  #unit: string | null = null;

  get value(): Progress {
    return { percent: this.#percent, current: this.#current, total: this.#total, unit: this.#unit };
  }

  /** @returns whether anything has changed. */
  report(report: ProgressReport): boolean {
    const before = this.value;
    if (typeof report === 'number') this.#raisePercent(report);
    else if (typeof report === 'object' && report !== null) this.#count(report);
    const after = this.value;
    return (Object.keys(after) as (keyof Progress)[]).some((key) => after[key] !== before[key]);
  }

  /** A success is 100 %, whatever was counted. */
  complete(): void {
    this.#percent = 100;
  }

  #count({ current, total, unit }: { current?: number; total?: number | null; unit?: string | null }): void {
    if (isCount(current)) this.#current = Math.max(current, this.#current ?? 0);
    if (total === null || (isCount(total) && total > 0)) this.#total = total;
    if (typeof unit === 'string' || unit === null) this.#unit = unit;
    if (this.#current !== null && this.#total !== null) this.#raisePercent((100 * this.#current) / this.#total);
  }

  #raisePercent(percent: number): void {
    if (!Number.isFinite(percent)) return;
    const rounded = Math.round(Math.min(100, Math.max(0, percent)) * 100) / 100;
    this.#percent = Math.max(rounded, this.#percent ?? 0);
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
