import { NIL } from 'uuid';
import { ActivityOutput } from '../output/activity-output.js';
import type { ActivityContext } from './activity-context.js';
import { abortableSleep } from './abortable-sleep.js';
import { sectionOf, type SectionArguments } from './critical-sections.js';
import { stepOf, type StepArguments, type StepWork } from './step-arguments.js';

const ignore = (): void => undefined;

const { signal } = new AbortController();
const output = new ActivityOutput(
  {
    maxMessageLength: 8_192,
    output: ignore,
    announce: ignore,
    progress: ignore,
    step: ignore,
    whenRoom: () => undefined,
    isFlooded: false,
    gather: () => undefined,
    gathered: ignore,
    flushed: () => Promise.resolve(),
    addSource: ignore,
    deleteSource: ignore,
  },
  signal,
);

function doneUntracked<T>(work: StepWork<T> | undefined): Promise<T> {
  return (work && (async () => work())()) as Promise<T>;
}

/** What `currentActivity()` gives outside an activity: everything works and nothing is kept, so libraries need no `if`. */
export const untrackedActivity: ActivityContext = Object.freeze({
  id: NIL,
  tracked: false,
  signal,
  shutdown: signal,
  progress: ignore,
  step: <T>(...args: StepArguments<T>) => doneUntracked(stepOf(args).work),
  steps: ignore,
  log: Object.freeze({ debug: ignore, info: ignore, success: ignore, warn: ignore, error: ignore }),
  metadata: Object.freeze({ merge: ignore, get: () => ({}) }),
  writer: output.writer,
  get stdout() {
    return output.stdout;
  },
  get stderr() {
    return output.stderr;
  },
  exec: output.exec,
  flushed: async () => undefined,
  throwIfCancelled: ignore,
  sleep: (ms: number) => abortableSleep(ms),
  onCancel: () => ignore,
  uncancellable: async <T>(...args: SectionArguments<T>) => sectionOf(args).work(),
  run: async <T>(_options: unknown, work: (activity: ActivityContext) => T | PromiseLike<T>) => work(untrackedActivity),
});
