import { inspect } from 'node:util';
import type { MessageLevel } from '../model/activity.js';
import { errorText } from '../model/stored-error.js';
import { ActivityWriter } from '../output/activity-writer.js';
import { abortableSleep } from './abortable-sleep.js';
import type { ActivityContext } from './activity-context.js';
import type { ActivityRecord } from './activity-record.js';

/** The context of one activity, its functions bound to it once. */
export function createActivityContext(record: ActivityRecord, signal: AbortSignal): ActivityContext {
  const at = (level: MessageLevel) => (message: unknown) => record.message(level, lineOf(message));
  return Object.freeze({
    id: record.identity.id,
    tracked: true,
    signal,
    progress: (report) => record.progress(report),
    step: (name) => record.step(name),
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
    writer: ({ level = 'info', source = 'stdout' } = {}) =>
      new ActivityWriter((line) => record.message(level, line, source)),
    throwIfCancelled: () => signal.throwIfAborted(),
    sleep: (ms) => abortableSleep(ms, signal),
  } satisfies ActivityContext);
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
