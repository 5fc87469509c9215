import type { ActivityStep, StepStatus } from '../model/activity.js';
import type { FinalStatus } from '../model/statuses.js';
import { ProgressMeter } from './progress-meter.js';

/** Steps kept of one activity; of more the first half and the newest stay. */
const MAX_STEPS = 100;
/** What the weights are shares of where the steps were not announced. */
const WHOLE = 100;

/** A step that is to come. */
export interface PlannedStep {
  name: string;
  /** Its share of the whole, beside those of the other steps. Default 1. */
  weight?: number;
}

interface Step {
  name: string;
  status: StepStatus;
  weight: number | null;
  startedAt: Date | null;
  endedAt: Date | null;
  meter: ProgressMeter;
}

/**
 * The steps of one activity, one at a time, each with its own status, times and progress; and how much of the whole is
 * done, where their weights tell it.
 */
export class StepList {
  readonly #steps: Step[] = [];
  #current: Step | undefined;
  #isAnnounced = false;
  /** Of the steps that were left out. */
  #omitted = { count: 0, done: 0, weight: 0 };

  /** The one that goes on; once the activity has ended, the one that went on then. */
  get current(): { readonly name: string; readonly meter: ProgressMeter } | undefined {
    return this.#current;
  }

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  /**
   * How much is done and how much there is, in weights: of all steps where they were announced, else of 100.
   * Null where no step has a weight.
   */
  get whole(): { done: number; total: number } | null {
    let { done, weight: total } = this.#omitted;
    for (const step of this.#steps) {
      done += doneOf(step);
      total += step.weight ?? 0;
    }
    if (total === 0) return null;
    return { done, total: this.#isAnnounced ? total : Math.max(WHOLE, total) };
  }

  value(at?: number): { items: ActivityStep[]; omitted: number } {
    const items = this.#steps.map(({ meter, ...step }) => ({
      ...step,
      progress: meter.value(step.status === 'running' ? at : undefined),
    }));
    return { items, omitted: this.#omitted.count };
  }

  /** @returns how many were too many to be kept by name; what they weigh still counts. */
  announce(plan: readonly PlannedStep[]): number {
    const before = this.#omitted.count;
    for (const { name, weight } of plan) {
      const step = newStep(name, isWeight(weight) ? weight : 1);
      this.#isAnnounced = true;
      if (this.#steps.length < MAX_STEPS) this.#steps.push(step);
      else this.#omit(step);
    }
    return this.#omitted.count - before;
  }

  /** Begins a step, the announced one of this name if there is one, and ends the one before as succeeded. */
  begin(name: string, at: Date): ProgressMeter {
    this.end('succeeded', at);
    let step = this.#steps.find((one) => one.status === 'pending' && one.name === name);
    if (!step) {
      this.#makeRoom();
      step = newStep(name, null);
      this.#steps.push(step);
    }
    step.status = 'running';
    step.startedAt = at;
    this.#current = step;
    return step.meter;
  }

  /** Of the step that goes on. */
  weigh(weight: number | undefined): void {
    if (this.#current && isWeight(weight)) this.#current.weight = weight;
  }

  /** Ends the step that goes on, if there is one. */
  end(status: FinalStatus, at: Date): void {
    const step = this.#current;
    if (!step) return;
    step.status = status;
    step.endedAt = at;
    if (status === 'succeeded') step.meter.complete();
    this.#current = undefined;
  }

  /** The activity has ended: so has the step that was going on, and in the same way; what has not begun never will. */
  finish(status: FinalStatus, at: Date): void {
    const last = this.#current;
    this.end(status, at);
    this.#current = last;
    for (const step of this.#steps) if (step.status === 'pending') step.status = 'skipped';
  }

  #makeRoom(): void {
    if (this.#steps.length < MAX_STEPS) return;
    const ended = (step: Step): boolean => step.endedAt !== null;
    const place = this.#steps.findIndex((step, index) => index >= MAX_STEPS / 2 && ended(step));
    const oldest = place === -1 ? this.#steps.findIndex(ended) : place;
    if (oldest !== -1) this.#omit(...this.#steps.splice(oldest, 1));
  }

  #omit(...steps: readonly Step[]): void {
    for (const step of steps) {
      this.#omitted.count++;
      this.#omitted.done += doneOf(step);
      this.#omitted.weight += step.weight ?? 0;
    }
  }
}

function newStep(name: string, weight: number | null): Step {
  return { name, status: 'pending', weight, startedAt: null, endedAt: null, meter: new ProgressMeter() };
}

function doneOf({ status, weight, meter }: Step): number {
  return (weight ?? 0) * (status === 'succeeded' ? 1 : (meter.fraction ?? 0));
}

function isWeight(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
