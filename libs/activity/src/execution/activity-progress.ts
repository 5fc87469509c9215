import type { ActivityStep, Progress } from '../model/activity.js';
import type { FinalStatus } from '../model/statuses.js';
import type { ChildShare } from './child-shares.js';
import { ProgressMeter, raised, type ProgressReport } from './progress-meter.js';
import { RateMeter } from './rate-meter.js';
import { StepList, type PlannedStep } from './step-list.js';

/** What `activity.step()` takes beside a name. */
export interface StepOptions {
  /** Its share of the whole: beside those of the announced steps or, without an announcement, in percent. */
  weight?: number;
  /** How much there is to count in it. */
  total?: number | null;
  unit?: string | null;
}

/**
 * How far an activity is, from what it says of itself, of its steps and of its children. What is reported within a step is
 * the step's. The whole follows from the steps where they have weights; where they have none it is unknown, since nobody
 * has said how many there will be.
 */
export class ActivityProgress {
  readonly #own = new ProgressMeter();
  readonly #steps = new StepList();
  readonly #pace = new RateMeter();
  #percent: number | null = null;
  #ended = false;
  #revision = 0;

  /** Name of the step that goes on; once the activity has ended, of the one that went on then. */
  get step(): string | null {
    return this.#steps.current?.name ?? null;
  }

  get percent(): number | null {
    return this.#percent;
  }

  /** Grows with each change of a step. */
  get stepRevision(): number {
    return this.#revision;
  }

  value(at: Date): Progress {
    const step = this.#steps.current?.meter;
    const shown = step?.counts ? step : this.#own;
    return { ...shown.value(this.#ended ? undefined : at.getTime()), percent: this.#percent };
  }

  steps(at: Date): { items: ActivityStep[]; omitted: number } {
    return this.#steps.value(at.getTime());
  }

  expectedEndAt(at: Date): Date | null {
    if (this.#ended) return null;
    const whole = this.#steps.whole;
    let end: number | null;
    if (whole) end = this.#pace.endOf(whole.total - whole.done, at.getTime());
    else end = this.#steps.isEmpty ? this.#own.endOf(at.getTime()) : null;
    return end === null ? null : new Date(end);
  }

  /** @returns whether anything has changed. */
  report(report: ProgressReport, at: Date): boolean {
    return this.#noted(this.#meter.report(report, at.getTime()), at);
  }

  /**
   * Begins a step and ends the one before; null only ends it. The name of the one that goes on begins nothing, a name
   * that is used again begins another step.
   * @returns whether anything has changed.
   */
  begin(name: string | null, { weight, total, unit }: StepOptions, at: Date): boolean {
    if (name === this.step && name === null) return false;
    if (name === null) this.#steps.end('succeeded', at);
    else {
      if (name !== this.step) this.#steps.begin(name, at);
      this.#steps.weigh(weight);
      if (total !== undefined || unit !== undefined) this.#meter.report({ current: 0, total, unit }, at.getTime());
    }
    return this.#noted(true, at);
  }

  /** Ends the step that goes on, where it still is the one of this name. @returns whether it was. */
  endStep(name: string, status: FinalStatus, at: Date): boolean {
    if (this.step !== name) return false;
    this.#steps.end(status, at);
    return this.#noted(true, at);
  }

  /** @returns how many were too many to be kept by name. */
  announce(plan: readonly PlannedStep[], at: Date): number {
    const omitted = this.#steps.announce(plan);
    this.#noted(true, at);
    return omitted;
  }

  /**
   * The part that a child which begins now has in it, where its progress is that of its children.
   * @param changed  called when the child has said something: `refresh` then takes it over.
   */
  share(weight: number, changed: () => void): ChildShare | undefined {
    const children = this.#steps.current?.meter.children ?? this.#own.children;
    return children?.add(weight, changed);
  }

  /** Takes over what children have said. @returns whether anything has changed. */
  refresh(at: Date): boolean {
    const own = this.#own.refresh(at.getTime());
    const step = this.#steps.current?.meter.refresh(at.getTime()) ?? false;
    return this.#noted(own || step, at);
  }

  /** The activity has ended; a success is 100 %. */
  finish(status: FinalStatus, at: Date): void {
    this.#steps.finish(status, at);
    if (status === 'succeeded') this.#percent = 100;
    this.#ended = true;
    this.#revision++;
  }

  get #meter(): ProgressMeter {
    return this.#steps.current?.meter ?? this.#own;
  }

  #noted(hasChanged: boolean, at: Date): boolean {
    if (!hasChanged) return false;
    if (this.#own.percent !== null) this.#percent = raised(this.#percent, this.#own.percent);
    if (this.#steps.isEmpty) return true;
    this.#revision++;
    const whole = this.#steps.whole;
    if (!whole) return true;
    this.#percent = raised(this.#percent, (100 * whole.done) / whole.total);
    this.#pace.observe(whole.done, at.getTime());
    return true;
  }
}
