import { Buffer } from 'node:buffer';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setInterval } from 'node:timers';
import { stripVTControlCharacters } from 'node:util';
import { ActivityCommandError } from '../model/errors.js';
import type { ActivityWriter } from './activity-writer.js';
import type { CheckedCommand } from './command.options.js';
import { hasGroups, ProcessGroup } from './process-group.js';

const TAIL_BYTES = 4_096;
const TAIL_CHARACTERS = 1_000;
const TAIL_LINES = 5;

/** How a command has ended. */
export interface CommandResult {
  /** Null where a signal has ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

export interface CommandOutput {
  stdout: ActivityWriter;
  stderr: ActivityWriter;
  /** Says something of the command that it does not say itself. */
  warn: (text: string) => void;
}

/**
 * Runs a command without a shell, and waits until it has ended and its output has been taken. An abort ends it with all
 * that it has started.
 * @throws {ActivityCommandError} it could not be started, or has failed; the reason of the signal, once it has ended.
 */
export async function runCommand(
  asked: CheckedCommand,
  signals: readonly AbortSignal[],
  output: CommandOutput,
): Promise<CommandResult> {
  const { command, args, killGrace, input } = asked;
  const writers = [output.stdout, output.stderr];
  let group: ProcessGroup | undefined;
  let ending: Promise<void> | undefined;
  let tellStopped!: () => void;
  const stopped = new Promise<void>((resolve) => (tellStopped = resolve));
  const end = (): void => {
    ending ??= group?.end(killGrace).then(tellStopped);
    // Whoever cancels does not want to wait for a client that reads slowly.
    for (const writer of writers) writer.rush();
  };
  try {
    for (const signal of signals) signal.throwIfAborted();
    const child = await started(asked);
    group = new ProcessGroup(child);
    for (const signal of signals) signal.addEventListener('abort', end, { once: true });
    if (signals.some(({ aborted }) => aborted)) end();
    const lastWords = tailOf(child.stderr!);
    if (child.stdin) feed(child.stdin, input);
    const exited = hasExited(child);
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.stdout!.pipe(output.stdout);
    child.stderr!.pipe(output.stderr);
    const result = await exited;
    if (!(await isDrained(child, { closed, stopped, writers, patienceMs: killGrace }))) {
      child.stdout!.destroy();
      child.stderr!.destroy();
      output.warn(`\`${lineOf(asked)}\` has left a process behind that holds its output; it is not read any more.`);
    }
    await Promise.all([...writers.map((writer) => endOf(writer)), ending]);
    for (const signal of signals) signal.throwIfAborted();
    if (result.exitCode === 0 || asked.allowFailure) return result;
    throw new ActivityCommandError({ command, args, ...result, stderr: lastWords() });
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', end);
    for (const writer of writers) writer.end();
    group?.release();
  }
}

async function started(asked: CheckedCommand): Promise<ChildProcess> {
  const { command, args, cwd, env, input } = asked;
  try {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: hasGroups,
      windowsHide: true,
    });
    // Rejects with what `error` tells.
    await once(child, 'spawn');
    child.on('error', () => undefined);
    return child;
  } catch (cause) {
    throw new ActivityCommandError(
      { command, args, exitCode: null, signal: null, stderr: '', problem: problemOf(cause, asked) },
      { cause },
    );
  }
}

/** Node says ENOENT for a folder that is missing, too. */
function problemOf(cause: unknown, { command, cwd }: CheckedCommand): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code !== 'ENOENT') return message;
  if (cwd !== undefined && !existsSync(cwd)) return `there is no folder "${String(cwd)}" (ENOENT)`;
  return `there is no program "${command}" (ENOENT)`;
}

function hasExited(child: ChildProcess): Promise<CommandResult> {
  return new Promise((resolve) => child.once('exit', (exitCode, signal) => resolve({ exitCode, signal })));
}

/** What the command does not want to read is no failure of its own. */
function feed(stdin: NonNullable<ChildProcess['stdin']>, input: CheckedCommand['input']): void {
  const source = input instanceof Readable ? input : Readable.from([input as string | Uint8Array]);
  pipeline(source, stdin).catch(() => undefined);
}

/**
 * True once both pipes have been read to their end. False when they stay open since somebody else has them, a process
 * that has outlived the command: in silence, or in spite of an abort.
 * @param stopped  resolves when an abort has ended all that could be ended.
 */
function isDrained(
  child: ChildProcess,
  {
    closed,
    stopped,
    writers,
    patienceMs,
  }: { closed: Promise<unknown>; stopped: Promise<void>; writers: readonly ActivityWriter[]; patienceMs: number },
): Promise<boolean> {
  let read = 0;
  const count = (chunk: Buffer): void => void (read += chunk.length);
  child.stdout!.on('data', count);
  child.stderr!.on('data', count);
  return new Promise((resolve) => {
    let before = read;
    let isStopped = false;
    /** Whatever has been written since the abort was over comes from a stranger. */
    let isNoise = false;
    const silence = setInterval(() => {
      const isSilent = read === before && writers.every(({ writableNeedDrain }) => !writableNeedDrain);
      before = read;
      if (isSilent || isNoise) answer(false);
      isNoise = isStopped;
    }, patienceMs);
    const answer = (isRead: boolean): void => {
      clearInterval(silence);
      resolve(isRead);
    };
    void closed.then(() => answer(true));
    void stopped.then(() => (isStopped = true));
  });
}

function endOf(writer: ActivityWriter): Promise<void> {
  writer.end();
  return finished(writer).catch(() => undefined);
}

/** Follows a stream, and gives its last lines that say something. */
function tailOf(stream: Readable): () => string {
  let tail: Buffer = Buffer.alloc(0);
  let isCut = false;
  stream.on('data', (chunk: Buffer) => {
    const all = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]);
    isCut ||= chunk.length > TAIL_BYTES || all.length > TAIL_BYTES;
    tail = all.subarray(-TAIL_BYTES);
  });
  return () => lastLines(tail.toString(), isCut);
}

/** Whole lines only: one that begins in its middle may begin with half of a secret, which nothing gives away. */
function lastLines(text: string, isCut: boolean): string {
  const lines = stripVTControlCharacters(text).split(/[\r\n]+/);
  if (isCut) lines.shift();
  const last: string[] = [];
  let room = TAIL_CHARACTERS;
  for (const line of lines.map((each) => each.trim()).toReversed()) {
    if (line === '') continue;
    if (last.length === TAIL_LINES || (last.length > 0 && line.length > room)) break;
    last.unshift(line.slice(0, room));
    room -= line.length + 1;
  }
  return last.join('\n');
}

function lineOf({ command, args }: CheckedCommand): string {
  return [command, ...args].join(' ');
}
