import type { Progress } from '../model/activity.js';
import { ChildShares } from './child-shares.js';
import { RateMeter } from './rate-meter.js';

/** Counts, from which percent follows; what is left out stays as it is. */
export interface CountReport {
  current?: number;
  /** Null: not known (any more). */
  total?: number | null;
  /** What is counted, e.g. `files`: up to 32 characters. */
  unit?: string | null;
}

/** From now on progress is that of the children that begin. */
export interface ChildrenReport {
  /** How many are to come, or the sum of their `weight`s; null: not known. */
  children: number | null;
  unit?: string | null;
}

/** What `activity.progress()` takes: percent, counts (and a unit) from which percent follows, or that children make it. */
export type ProgressReport = number | CountReport | ChildrenReport;

/**
 * Keeps the progress of one thing honest: never backwards, never past 100 %, percent rounded to two decimals.
 * An unknown total leaves percent unknown; a `current` past the total is kept as it is. Numbers that are none are ignored.
 */
export class ProgressMeter {
  #percent: number | null = null;
  #current: number | null = null;
  #total: number | null = null;
  #unit: string | null = null;
  #rate = new RateMeter();
  #rateOf: 'percent' | 'counts' | 'children' | undefined;
  #children: ChildShares | undefined;

  /** What its children make of it, where they do. */
  get children(): ChildShares | undefined {
    return this.#children;
  }

  get percent(): number | null {
    return this.#percent;
  }

  /** True once anything was counted, or is to be. */
  get counts(): boolean {
    return this.#current !== null || this.#total !== null;
  }

  /** How much of it is done, 0 to 1; unlike percent it falls when the total is raised. Null while that is unknown. */
  get fraction(): number | null {
    if (this.#total !== null && this.#current !== null) return Math.min(1, this.#done / this.#total);
    return this.#percent === null ? null : this.#percent / 100;
  }

  /** @param at  milliseconds; for `perSecond`, which is null without it. */
  value(at?: number): Progress {
    return {
      percent: this.#percent,
      current: this.#current,
      total: this.#total,
      unit: this.#unit,
      perSecond: at === undefined ? null : this.#rate.perSecond(at),
    };
  }

  /** When it will be done, going by its rate; null while that is unknown, and for counts past their total. */
  endOf(at: number): number | null {
    const total = this.#rateOf === 'percent' ? 100 : this.#total;
    return total === null ? null : this.#rate.endOf(total - this.#done, at);
  }

  /** @returns whether anything has changed. */
  report(report: ProgressReport, at: number): boolean {
    const before = this.value();
    if (typeof report === 'number') this.#raisePercent(report);
    else if (typeof report === 'object' && report !== null) {
      if ('children' in report) this.#follow(report);
      else this.#count(report);
    }
    this.#observe(at);
    return this.#differsFrom(before);
  }

  /** Takes over what its children have said. @returns whether anything has changed. */
  refresh(at: number): boolean {
    if (!this.#children) return false;
    const before = this.value();
    this.#takeChildren(this.#children);
    this.#observe(at);
    return this.#differsFrom(before);
  }

  /** A success is 100 %, whatever was counted. */
  complete(): void {
    this.#percent = 100;
  }

  get #done(): number {
    return this.#children ? this.#children.done : (this.#current ?? this.#percent ?? 0);
  }

  #count({ current, total, unit }: CountReport): void {
    this.#children = undefined;
    if (isCount(current)) this.#current = Math.max(current, this.#current ?? 0);
    if (total === null || (isCount(total) && total > 0)) this.#total = total;
    this.#countIn(unit);
    if (this.#current !== null && this.#total !== null) this.#raisePercent((100 * this.#current) / this.#total);
  }

  #follow({ children, unit }: ChildrenReport): void {
    this.#children ??= new ChildShares();
    if (children === null || isCount(children)) this.#children.expected = children;
    this.#countIn(unit);
    this.#takeChildren(this.#children);
  }

  #takeChildren({ ended, done, total }: ChildShares): void {
    this.#current = Math.max(ended, this.#current ?? 0);
    this.#total = total === 0 ? null : total;
    if (this.#total !== null) this.#raisePercent((100 * done) / this.#total);
  }

  #countIn(unit: string | null | undefined): void {
    if (typeof unit === 'string' || unit === null) this.#unit = unit;
  }

  #raisePercent(percent: number): void {
    this.#percent = raised(this.#percent, percent);
  }

  /** One rate is of one thing: counting after percent begins a new one. */
  #observe(at: number): void {
    const what = this.#children ? 'children' : this.#current !== null ? 'counts' : 'percent';
    if (what === 'percent' && this.#percent === null) return;
    if (this.#rateOf !== what) this.#rate = new RateMeter();
    this.#rateOf = what;
    this.#rate.observe(this.#done, at);
  }

  #differsFrom(before: Progress): boolean {
    const after = this.value();
    return (Object.keys(after) as (keyof Progress)[]).some((key) => after[key] !== before[key]);
  }
}

/** The greater of two percentages, the new one within 0 to 100 and rounded to two decimals; one that is none is ignored. */
export function raised(before: number | null, percent: number): number | null {
  if (!Number.isFinite(percent)) return before;
  const rounded = Math.round(Math.min(100, Math.max(0, percent)) * 100) / 100;
  return Math.max(rounded, before ?? 0);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
