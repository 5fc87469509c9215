import { ConsoleLogger, type LogLevel } from '@nestjs/common';

/** What was said in one call of a logger. */
export interface NestLine {
  context: string | undefined;
  texts: string[];
}

/** Reads the arguments of a call as Nest's own logger does (context, stack, further values), and prints nothing. */
class LineReader extends ConsoleLogger {
  #line: NestLine = { context: undefined, texts: [] };

  constructor() {
    super({ colors: false, logLevels: ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] });
  }

  read(level: LogLevel, args: readonly unknown[], context: string | undefined): NestLine {
    this.#line = { context, texts: [] };
    this.context = context;
    const [message, ...params] = args;
    this[level](message, ...params);
    return this.#line;
  }

  protected override printMessages(
    messages: unknown[],
    context?: string,
    level: LogLevel = 'log',
    ...[_stream, _stack, params]: [('stdout' | 'stderr')?, unknown?, Record<string, unknown>?]
  ): void {
    const start = context ? `[${context}] ` : '';
    const end = params ? ` ${this.stringifyParams(params)}` : '';
    const texts = messages.map((message) => `${start}${this.stringifyMessage(message, level)}${end}`);
    this.#line = { context, texts };
  }

  protected override printStackTrace(stack: string): void {
    const { context, texts } = this.#line;
    if (stack) this.#line = { context, texts: [...texts.slice(0, -1), `${texts.at(-1) ?? ''}\n${stack}`] };
  }
}

const reader = new LineReader();

/**
 * The line of one call, as Nest's own logger would print it, without colours, time and process.
 * @param args  as the logger was called. @param context  of the logger itself.
 * @throws what a value throws that is looked at.
 */
export function readNestLine(level: LogLevel, args: readonly unknown[], context: string | undefined): NestLine {
  return reader.read(level, args, context);
}
