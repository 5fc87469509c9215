import { NIL } from 'uuid';
import { ActivityWriter } from '../output/activity-writer.js';
import type { ActivityContext } from './activity-context.js';
import { abortableSleep } from './abortable-sleep.js';
import { sectionOf, type SectionArguments } from './critical-sections.js';

const ignore = (): void => undefined;

/** What `currentActivity()` gives outside an activity: everything works and nothing is kept, so libraries need no `if`. */
export const untrackedActivity: ActivityContext = Object.freeze({
  id: NIL,
  tracked: false,
  signal: new AbortController().signal,
  progress: ignore,
  step: ignore,
  steps: ignore,
  log: Object.freeze({ debug: ignore, info: ignore, success: ignore, warn: ignore, error: ignore }),
  metadata: Object.freeze({ merge: ignore, get: () => ({}) }),
  writer: () => new ActivityWriter(ignore),
  throwIfCancelled: ignore,
  sleep: (ms: number) => abortableSleep(ms),
  onCancel: () => ignore,
  uncancellable: async <T>(...args: SectionArguments<T>) => sectionOf(args).work(),
  run: async <T>(_options: unknown, work: (activity: ActivityContext) => T | PromiseLike<T>) => work(untrackedActivity),
});
