import type { Readable } from 'node:stream';
import * as v from 'valibot';
import { checked, duration, truth } from '../config/check.js';
import type { Duration } from '../config/duration.js';
import { ActivityOptionError } from '../model/errors.js';
import { checkWriterOptions, type WriterOptions } from './writer.options.js';

export interface CommandOptions {
  /** Default: that of this process. */
  cwd?: string | URL;
  /** Added to the environment of this process; undefined takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  /** What the command reads. Default: nothing. */
  input?: string | Uint8Array | Readable;
  /** Ends the command besides the activity's own signal. */
  signal?: AbortSignal;
  /**
   * How long the command may take to end after SIGTERM, before SIGKILL; and how long a process that it has left behind
   * may hold its output in silence. Default 5 s.
   */
  killGrace?: Duration;
  /** Of the writer of its output. */
  stdout?: Omit<WriterOptions, 'source'>;
  /** Of the writer of its errors. The default level is `warn`. */
  stderr?: Omit<WriterOptions, 'source'>;
  /** True: an exit code other than 0, or a signal, resolves too. Default false. */
  allowFailure?: boolean;
}

const isA = (test: (value: unknown) => boolean, message: string) => v.optional(v.custom<never>(test, message));
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const schema = v.strictObject(
  {
    cwd: isA((value) => (typeof value === 'string' && value !== '') || value instanceof URL, 'must be a path or a URL'),
    env: isA(
      (value) => isObject(value) && Object.values(value).every((one) => one === undefined || isPlainText(one)),
      'must be an object of texts',
    ),
    input: isA(
      (value) => typeof value === 'string' || ArrayBuffer.isView(value) || (isObject(value) && 'pipe' in value),
      'must be text, bytes or a Readable stream',
    ),
    signal: isA((value) => isObject(value) && 'aborted' in value, 'must be an AbortSignal'),
    killGrace: v.optional(duration, '5s'),
    stdout: v.optional(v.any()),
    stderr: v.optional(v.any()),
    allowFailure: v.optional(truth, false),
  },
  'must be an object',
);

/** A command as it is run: `killGrace` in milliseconds. */
export interface CheckedCommand extends Omit<CommandOptions, 'killGrace'> {
  command: string;
  args: readonly string[];
  killGrace: number;
}

/** @throws {ActivityOptionError} naming what is wrong and what is allowed. */
export function checkCommand(command: unknown, args: unknown, options: CommandOptions): CheckedCommand {
  const problems: string[] = [];
  if (!isPlainText(command) || command === '') problems.push('`command` must be the name or path of a program');
  if (!Array.isArray(args)) problems.push('`args` must be a list of texts: no shell takes a line apart');
  else {
    const place = args.findIndex((arg) => !isPlainText(arg));
    if (place !== -1) problems.push(`\`args.${place}\` must be text without NUL, and is ${kindOf(args[place])}`);
  }
  if (problems.length > 0) throw new ActivityOptionError('exec', problems);
  const asked = checked('exec', schema, options);
  return {
    ...asked,
    stdout: checkWriterOptions(asked.stdout ?? {}, 'exec, stdout'),
    stderr: checkWriterOptions(asked.stderr ?? {}, 'exec, stderr'),
    command: command as string,
    args: args as string[],
  };
}

function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value === 'string' ? 'text with one' : `of the type ${typeof value}`;
}
