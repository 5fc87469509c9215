import type { MessageLevel, MessageSource } from '../model/activity.js';
import { ActivityWriter } from './activity-writer.js';
import { checkCommand, type CommandOptions } from './command.options.js';
import { namedFrames, readFrame, type OutputFrame } from './frames.js';
import { CUT_OVERLAP, LONGEST_LINE } from './line-lengths.js';
import { runCommand, type CommandResult } from './run-command.js';
import { checkWriterOptions, type WriterOptions } from './writer.options.js';

/** A line of captured output. */
export interface OutputLine {
  level: MessageLevel;
  text: string;
  source: MessageSource;
  /** Undefined: the step that is going on. */
  step?: string | null;
  /** How many characters of it are missing already. */
  omitted?: number;
}

/** A writer, as it is asked before the activity ends. */
export interface LogSource {
  /** Takes the lines of what it has been given so far. */
  takeWaiting(): void;
  /** Takes those that it has gathered. */
  takeGathered(): void;
  /** Takes some of them. @returns whether there are more. */
  takeSomeGathered(): boolean;
  /** That, and its last line without a newline. */
  takeRest(): void;
  /** The activity is to stop: whoever writes is to wait for no reader but the log. */
  stop(): void;
}

/** The activity whose output it is. */
export interface OutputSink {
  readonly maxMessageLength: number;
  output(line: OutputLine): void;
  announce(text: string): void;
  progress(report: NonNullable<OutputFrame['progress']>): void;
  step(name: string): void;
  whenRoom(): Promise<void> | undefined;
  /** Whether far more lines come than are kept. */
  readonly isFlooded: boolean;
  /** @returns how many of the newest lines it must keep; undefined when it may not gather. */
  gather(source: LogSource, stream: MessageSource): number | undefined;
  /** Its gathered lines come now, but for the first ones, which are only counted. */
  gathered(source: LogSource, leftOut: { count: number; level: MessageLevel }): void;
  flushed(): Promise<void>;
  addSource(source: LogSource): void;
  deleteSource(source: LogSource): void;
}

/** The writers of one activity, and the commands whose output they take. All functions work unbound. */
export class ActivityOutput {
  readonly #sink: OutputSink;
  readonly #signal: AbortSignal;
  readonly #shared: { stdout?: ActivityWriter; stderr?: ActivityWriter } = {};

  constructor(sink: OutputSink, signal: AbortSignal) {
    this.#sink = sink;
    this.#signal = signal;
  }

  get stdout(): ActivityWriter {
    return this.#sharedWriter('stdout', {});
  }

  get stderr(): ActivityWriter {
    return this.#sharedWriter('stderr', { source: 'stderr', level: 'warn' });
  }

  readonly writer = (options: WriterOptions = {}): ActivityWriter => {
    const sink = this.#sink;
    const { tee, endTee, format, frames, level = 'info', source = 'stdout', step } = checkWriterOptions(options);
    const read = typeof frames === 'function' ? frames : namedFrames(frames);
    const ofFrame = (frame: OutputFrame): void => {
      if (frame.step !== undefined) sink.step(frame.step);
      if (frame.progress !== undefined) sink.progress(frame.progress);
      if (frame.message !== undefined) sink.output({ source, step, level: frame.level ?? level, text: frame.message });
    };
    const ofText = (text: string, omitted: number): void => sink.output({ source, step, level, text, omitted });
    const ofLine = (text: string, omitted: number): void => {
      // In NDJSON a blank line only separates.
      if (omitted === 0 && text.trim() === '') return;
      const frame = omitted === 0 ? readFrame(text, read) : undefined;
      if (frame) ofFrame(frame);
      else ofText(text, omitted);
    };
    // A UTF-16 unit takes three bytes at most: so many always hold what the log keeps of a line, and is looked at.
    const maxLineBytes = Math.max(LONGEST_LINE, 3 * (sink.maxMessageLength + CUT_OVERLAP));
    const writer = new ActivityWriter({
      target: {
        line: format === 'ndjson' ? ofLine : ofText,
        // Each frame counts: progress may stand in any.
        get isFlooded() {
          return format !== 'ndjson' && sink.isFlooded;
        },
        gather: (gatherer) => sink.gather(gatherer, source),
        gathered: (gatherer, count) => sink.gathered(gatherer, { count, level }),
        rewriting: (text) => sink.announce(text),
        whenRoom: () => sink.whenRoom(),
        flushed: () => sink.flushed(),
        closed: (closed) => sink.deleteSource(closed),
      },
      maxLineBytes,
      ...(tee ? { tee, endTee } : {}),
    });
    sink.addSource(writer);
    if (this.#signal.aborted) writer.stop();
    return writer;
  };

  /** Made anew where the last one has been ended, or is piped into: `pipeline` ends what it writes to. */
  #sharedWriter(name: 'stdout' | 'stderr', options: WriterOptions): ActivityWriter {
    const present = this.#shared[name];
    if (present?.writable) return present;
    const made = this.writer(options);
    made.once('pipe', () => {
      if (this.#shared[name] === made) delete this.#shared[name];
    });
    return (this.#shared[name] = made);
  }

  readonly exec = async (
    command: string,
    args: readonly string[] = [],
    options: CommandOptions = {},
  ): Promise<CommandResult> => {
    const checked = checkCommand(command, args, options);
    const signals = checked.signal ? [this.#signal, checked.signal] : [this.#signal];
    return runCommand(checked, signals, {
      stdout: this.writer(checked.stdout),
      stderr: this.writer({ level: 'warn', ...checked.stderr, source: 'stderr' }),
      warn: (text) => this.#sink.output({ level: 'warn', text, source: 'activity' }),
    });
  };
}
