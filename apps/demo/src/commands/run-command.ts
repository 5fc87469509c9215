import { InternalServerErrorException } from '@nestjs/common';
import { ActivityCommandError, type ActivityContext } from 'nestjs-activity';
import type { Command } from './commands.js';

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
 * Runs a command, its output as lines of the activity, and says of a failure what whoever asked may read.
 * @throws {CommandFailedError}; the signal's reason, once the command has ended.
 */
export async function runCommand(
  { line, program, args }: Command,
  { cwd, activity }: { cwd: string; activity: ActivityContext },
): Promise<void> {
  try {
    await activity.exec(program, args, { cwd, killGrace: '2s' });
  } catch (error) {
    throw error instanceof ActivityCommandError ? failureOf(line, error) : error;
  }
}

function failureOf(line: string, failure: ActivityCommandError): CommandFailedError {
  const { exitCode, signal, stderr } = failure;
  const options = { cause: failure };
  if (exitCode === null && signal === null) {
    const { code, message } = failure.cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'the program is not installed' : message;
    return new CommandFailedError(`\`${line}\` could not be started: ${why}`, String(code), options);
  }
  const how = signal ? `was ended by ${signal}` : `ended with the exit code ${exitCode}`;
  const lastWords = stderr.split('\n').at(-1);
  return new CommandFailedError(
    `\`${line}\` ${how}${lastWords && `: ${lastWords}`}`,
    signal ?? `EXIT_${exitCode}`,
    options,
  );
}
