import type { StepOptions } from './activity-progress.js';

export type StepWork<T> = () => T | PromiseLike<T>;

/** What `activity.step()` is called with: a name, options, and the work that is the step, each of the last two if wanted. */
export type StepArguments<T> =
  | [name: string | null, options?: StepOptions]
  | [name: string, work: StepWork<T>]
  | [name: string, options: StepOptions, work: StepWork<T>];

export function stepOf<T>(args: StepArguments<T>): { name: string | null; options: StepOptions; work?: StepWork<T> } {
  const [name, second, third] = args;
  if (typeof second === 'function') return { name, options: {}, work: second };
  return third ? { name, options: second ?? {}, work: third } : { name, options: second ?? {} };
}
