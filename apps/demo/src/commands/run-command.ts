import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stripVTControlCharacters } from 'node:util';
import { InternalServerErrorException } from '@nestjs/common';
import type { ActivityContext } from 'nestjs-activity';
import type { Command } from './commands.js';
import { groupOptions, ProcessGroup } from './process-group.js';

/** How long a command may take to end when it is asked to. */
const TERM_MS = 2_000;

/** A command that could not be started or has failed: its text is for whoever asked for it. */
export class CommandFailedError extends InternalServerErrorException {
  constructor(
    message: string,
    /** `EXIT_128`, `SIGSEGV`, or Node's code of the failed start: `ENOENT`. */
    readonly code: string,
    options?: { cause: unknown },
  ) {
    super(message, options);
  }
}

/**
 * Runs a command without a shell, its output as lines of the activity. An abort ends it with all that it has started.
 * @throws {CommandFailedError}; the signal's reason, once the command has ended.
 */
export async function runCommand(
  { line, program, args }: Command,
  { cwd, activity }: { cwd: string; activity: ActivityContext },
): Promise<void> {
  activity.throwIfCancelled();
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], ...groupOptions });
  const group = new ProcessGroup(child);
  const stop = (): void => group.end(TERM_MS);
  activity.signal.addEventListener('abort', stop, { once: true });
  const lastWords = lastLineOf(child.stderr);
  try {
    // `close` comes after the last byte of both streams.
    const [closed] = await Promise.all([
      once(child, 'close') as Promise<[code: number | null, signal: NodeJS.Signals | null]>,
      pipeline(child.stdout, activity.writer()),
      pipeline(child.stderr, activity.writer({ source: 'stderr', level: 'warn' })),
    ]);
    activity.throwIfCancelled();
    const [code, signal] = closed;
    if (code === 0) return;
    const how = signal ? `was ended by ${signal}` : `ended with the exit code ${code}`;
    const words = lastWords();
    throw new CommandFailedError(`\`${line}\` ${how}${words && `: ${words}`}`, signal ?? `EXIT_${code}`);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (!syscall?.startsWith('spawn')) throw error;
    const why = code === 'ENOENT' ? 'the program is not installed' : (error as Error).message;
    throw new CommandFailedError(`\`${line}\` could not be started: ${why}`, String(code), { cause: error });
  } finally {
    activity.signal.removeEventListener('abort', stop);
  }
}

/** Follows a stream, and gives the last line that says something. */
function lastLineOf(stream: Readable): () => string {
  let tail = '';
  stream.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-4_096)));
  return () =>
    stripVTControlCharacters(tail)
      .split('\n')
      .map((text) => text.trim())
      .findLast((text) => text !== '') ?? '';
}
