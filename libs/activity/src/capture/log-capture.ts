import type { LogLevel } from '@nestjs/common';
import type { CaptureLogsOptions } from '../config/capture-logs.options.js';
import type { ActivityRunner } from '../execution/activity-runner.js';
import { ambientActivity } from '../execution/ambient-activity.js';
import { captureLine, isLineHandled, withLineHandled } from '../execution/capture-line.js';
import type { MessageLevel } from '../model/activity.js';
import { readNestLine, type NestLine } from './nest-line.js';
import { holdNestLoggers, type LoggerCall } from './nest-logger-patch.js';

const LEVELS: Record<LogLevel, MessageLevel> = {
  verbose: 'debug',
  debug: 'debug',
  log: 'info',
  warn: 'warn',
  error: 'error',
  fatal: 'error',
};

/** The tracker's own lines are about activities, not of them. */
const OWN_CONTEXTS = ['Activity', 'ActivityAdmin'];

/** What each application of this process has chosen: an activity is its application's. */
const choices = new Map<ActivityRunner, CaptureLogsOptions>();

/**
 * From now on, lines of Nest's loggers that are written within an activity of `runner` also become lines of it. What the
 * app prints stays as it is.
 * @returns ends that; calling it twice is harmless.
 */
export function captureNestLogs(runner: ActivityRunner, choice: CaptureLogsOptions): () => void {
  choices.set(runner, choice);
  const letGo = holdNestLoggers(captureCall);
  return () => {
    choices.delete(runner);
    letGo();
  };
}

function captureCall(call: LoggerCall, print: () => unknown): unknown {
  const choice = isLineHandled() ? undefined : choiceOfAmbient();
  if (!choice) return print();
  if (choice.levels?.includes(call.level) ?? true) capture(call, choice);
  // Whatever prints the line may be a logger that is captured itself.
  return withLineHandled(print);
}

function choiceOfAmbient(): CaptureLogsOptions | undefined {
  const activity = ambientActivity();
  if (!activity || activity.settled) return undefined;
  for (const [runner, choice] of choices) if (runner.running.get(activity.id) === activity) return choice;
  return undefined;
}

function capture({ level, args, context }: LoggerCall, { contexts, exclude = [] }: CaptureLogsOptions): void {
  const line = read(level, args, context);
  const from = line.context ?? '';
  if (OWN_CONTEXTS.includes(from) || exclude.includes(from) || !(contexts?.includes(from) ?? true)) return;
  for (const text of line.texts) captureLine(LEVELS[level], text);
}

function read(level: LogLevel, args: unknown[], context: string | undefined): NestLine {
  try {
    // The reader is one of Nest's loggers itself.
    return withLineHandled(() => readNestLine(level, args, context));
  } catch {
    return { context, texts: ['[a line that cannot be shown]'] };
  }
}
