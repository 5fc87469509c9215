import { inspect } from 'node:util';
import { hookBudgetOf } from '../config/cancel.options.js';
import type { MessageLevel } from '../model/activity.js';
import { outcomeOf, type EndSignals } from '../model/outcome.js';
import { errorText } from '../model/stored-error.js';
import { ActivityOutput } from '../output/activity-output.js';
import { abortableSleep } from './abortable-sleep.js';
import type { ActivityContext } from './activity-context.js';
import type { ActivityRecord } from './activity-record.js';
import type { CancelHook } from './cancel-hooks.js';
import { sectionOf, type SectionArguments } from './critical-sections.js';
import { stepOf, type StepArguments, type StepWork } from './step-arguments.js';

/** What a context asks of its activity, beside what goes to the record. */
export interface ActivityControl {
  /** Made when it is asked for. */
  signal: () => AbortSignal;
  shutdown: () => AbortSignal;
  onCancel(hook: CancelHook, budgetMs: number): () => void;
  uncancellable<T>(name: string, work: () => T | PromiseLike<T>): Promise<T>;
  run: ActivityContext['run'];
}

/** The context of one activity, its functions bound to it once. */
export function createActivityContext(record: ActivityRecord, control: ActivityControl): ActivityContext {
  const at = (level: MessageLevel) => (message: unknown) => record.message(level, lineOf(message));
  let made: ActivityOutput | undefined;
  const output = (): ActivityOutput => (made ??= new ActivityOutput(record, control.signal()));
  const context: ActivityContext = Object.freeze({
    id: record.identity.id,
    tracked: true,
    get signal() {
      return control.signal();
    },
    get shutdown() {
      return control.shutdown();
    },
    progress: (report) => record.progress(report),
    step: <T>(...args: StepArguments<T>) => {
      const { name, options, work } = stepOf(args);
      record.step(name, options);
      return (work && withinStep(name!, work, { record, signals: context })) as Promise<T>;
    },
    steps: (plan) => record.steps(plan.map((step) => (typeof step === 'string' ? { name: step } : step))),
    log: Object.freeze({
      debug: at('debug'),
      info: at('info'),
      success: at('success'),
      warn: at('warn'),
      error: at('error'),
    }),
    metadata: Object.freeze({
      merge: (patch) => record.mergeMetadata(patch),
      get: () => record.metadata,
    }),
    writer: (options) => output().writer(options),
    get stdout() {
      return output().stdout;
    },
    get stderr() {
      return output().stderr;
    },
    exec: (...call) => output().exec(...call),
    flushed: () => record.flushed(),
    throwIfCancelled: () => control.signal().throwIfAborted(),
    sleep: (ms) => abortableSleep(ms, control.signal()),
    onCancel: (hook, options) => control.onCancel(hook, hookBudgetOf(hook, options)),
    uncancellable: async <T>(...args: SectionArguments<T>) => {
      const { name, work } = sectionOf(args);
      return control.uncancellable(name, work);
    },
    run: (options, work) => control.run(options, work),
  } satisfies ActivityContext);
  return context;
}

/** Whatever the work gives or throws reaches the caller untouched. */
async function withinStep<T>(
  name: string,
  work: StepWork<T>,
  { record, signals }: { record: ActivityRecord; signals: EndSignals },
): Promise<T> {
  try {
    const value = await work();
    record.endStep(name, 'succeeded');
    return value;
  } catch (error) {
    record.endStep(name, outcomeOf({ ok: false, error }, signals).status);
    throw error;
  }
}

/** Never throws: what an object does while it is looked at must not end the work that logs it. */
function lineOf(message: unknown): string {
  if (typeof message === 'string') return message;
  try {
    return described(message);
  } catch {
    return '[a value that cannot be shown]';
  }
}

function described(message: unknown): string {
  if (typeof message === 'object' && message !== null && 'stack' in message) return errorText(message);
  return inspect(message, { breakLength: Infinity, depth: 4, maxStringLength: 8192 });
}
