import { ConsoleLogger, Logger, type LogLevel } from '@nestjs/common';

/** A call of a logger: its level, its arguments as they would reach Nest's own logger, the logger's context. */
export interface LoggerCall {
  level: LogLevel;
  args: unknown[];
  context: string | undefined;
}

/** Is called in the place of the logger's method, which it has to `print`. */
export type LoggerListener = (call: LoggerCall, print: () => unknown) => unknown;

type Method = (this: { context?: string } | undefined, ...args: unknown[]) => unknown;
type Loggers = Record<LogLevel, Method>;

interface Patch {
  target: Loggers;
  level: LogLevel;
  original: PropertyDescriptor;
  replaced: Method;
}

const LEVELS: readonly LogLevel[] = ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'];

/**
 * `Logger.log()`, `new Logger().log()`, and loggers that extend `ConsoleLogger` and are called themselves. What prints
 * the lines in the end may be exchanged at any time: these are what everybody calls.
 */
const TARGETS = [Logger, Logger.prototype, ConsoleLogger.prototype] as unknown as Loggers[];

let listener: LoggerListener | undefined;
let holders = 0;
let patches: Patch[] = [];

/**
 * Lets `listen` hear of every line of Nest's loggers in this process. The methods are replaced once, however many
 * applications listen, and put back when the last has let go.
 * @param listen  the same function for all.
 * @returns lets go; calling it twice is harmless.
 */
export function holdNestLoggers(listen: LoggerListener): () => void {
  listener = listen;
  if (holders++ === 0) replaceMethods();
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    if (--holders === 0) putBack();
  };
}

function replaceMethods(): void {
  // Whoever had put a function around ours may have taken both away.
  patches = patches.filter(({ target, level, original }) => target[level] !== original.value);
  for (const target of TARGETS) {
    for (const level of LEVELS) {
      const original = Object.getOwnPropertyDescriptor(target, level);
      // Still replaced where somebody else had put a function of theirs around ours.
      if (!original || patches.some((patch) => patch.target === target && patch.level === level)) continue;
      const replaced = replacing(original.value as Method, target, level);
      Object.defineProperty(target, level, { ...original, value: replaced });
      patches.push({ target, level, original, replaced });
    }
  }
}

function putBack(): void {
  patches = patches.filter(({ target, level, original, replaced }) => {
    if (target[level] !== replaced) return true;
    Object.defineProperty(target, level, original);
    return false;
  });
}

function replacing(original: Method, target: Loggers, level: LogLevel): Method {
  const replaced: Method = function (...args) {
    if (holders === 0 || !listener) return original.apply(this, args);
    const shared = args.map(once);
    const context = target === (Logger as unknown) ? undefined : this?.context;
    const isLogger = target === (Logger.prototype as unknown);
    const call = { level, args: isLogger ? withContext(level, shared, context) : shared, context };
    return listener(call, () => original.apply(this, shared));
  };
  Object.defineProperty(replaced, 'name', { value: level });
  return replaced;
}

/** As `Logger` itself hands it on. */
function withContext(level: LogLevel, args: unknown[], context: string | undefined): unknown[] {
  if (!context) return args;
  // Or the context would be taken for the stack.
  return level === 'error' && args.length === 1 ? [...args, undefined, context] : [...args, context];
}

/** A message may be a function that makes it: it is called once for both logs. A class stands for its name. */
function once(message: unknown): unknown {
  if (typeof message !== 'function' || Function.prototype.toString.call(message).startsWith('class ')) return message;
  let result: { value: unknown } | undefined;
  return () => (result ??= { value: (message as () => unknown)() }).value;
}
