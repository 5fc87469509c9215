import type { LoggerOptions } from 'pino';
import { captureLine, currentActivity } from '../../index.js';
import { levelOf, textOf, type PinoKeys } from './captured-line.js';

/** Those of the tracker itself, where it logs through pino. */
const OWN_CONTEXTS: unknown[] = ['Activity', 'ActivityAdmin'];

/**
 * Options of a pino logger whose lines also become lines of the activity around the code that writes them:
 * `pino(captureActivityLogs({ level: 'debug' }))`, or with nestjs-pino
 * `LoggerModule.forRoot({ pinoHttp: captureActivityLogs({ … }) })`.
 *
 * Children of the logger do the same. What pino does not write, for its level, is not captured; what it writes is
 * captured as it is written, with its bindings, formats, serializers and redaction. What pino writes stays as it is, and
 * hooks that the options have go on working. Outside of activities a line costs one look at the async context.
 */
export function captureActivityLogs<Options extends LoggerOptions>(options?: Options): Options {
  const { hooks = {}, formatters, messageKey = 'msg', errorKey = 'err' } = (options ?? {}) as LoggerOptions;
  const keys: PinoKeys = { messageKey, errorKey };
  /** Of the line that is being written, where the line itself may not say it as a number. */
  let level: number | undefined;

  const streamWrite = (written: string): string => {
    const line = hooks.streamWrite ? hooks.streamWrite(written) : written;
    if (currentActivity().tracked) capture(line, level, keys);
    return line;
  };
  const { logMethod } = hooks;
  const noteLevel: NonNullable<typeof logMethod> = function (args, method, number) {
    const before = level;
    level = number;
    try {
      if (logMethod) logMethod.call(this, args, method, number);
      else method.apply(this, args);
    } finally {
      level = before;
    }
  };
  const noted = formatters?.level ? { logMethod: noteLevel } : {};
  return { ...options, hooks: { ...hooks, ...noted, streamWrite } } as unknown as Options;
}

function capture(line: string, level: number | undefined, keys: PinoKeys): void {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    // A hook of the user's own has made something else of it.
    captureLine(levelOf(level), line.trimEnd());
    return;
  }
  if (OWN_CONTEXTS.includes(record['context'])) return;
  captureLine(levelOf(level ?? record['level']), () => textOf(record, keys));
}
