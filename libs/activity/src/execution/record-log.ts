import type { MessageLevel, MessageSource } from '../model/activity.js';
import type { LogSource, OutputLine } from '../output/activity-output.js';
import { GatheredLines } from '../output/gathered-lines.js';
import { LineRedaction } from '../output/line-redaction.js';
import type { Redaction } from '../output/redaction.js';
import type { ActivityStore, Ownership } from '../storage/activity-store.js';
import { ActivityLog, type LogLimits, type LogLine } from './activity-log.js';
import type { LogMemory } from './log-memory.js';
import { LogOutbox } from './log-outbox.js';

/** Of a cap that keeps more of the newest lines than this, all are written: the database is what they wait for. */
const MOST_GATHERED = 10_000;

export interface RecordLogParts {
  activityId: string;
  owner: Ownership;
  store: ActivityStore;
  limits: LogLimits;
  redaction: Redaction;
  /** Shared by all activities of the application. */
  memory: LogMemory;
  /** The step that is going on. */
  step: () => string | null;
  now: () => Date;
  hasEnded: () => boolean;
  /** Nothing can be written of it any more. */
  isLost: () => boolean;
  /** @param isPrivate  its text is for those who may read the log. */
  heard: (line: LogLine, isPrivate: boolean) => void;
  /** A write was refused for good. */
  onLost: (error: unknown) => void;
}

/**
 * The log of one activity on its way to the store: lines of `log.*` and of writers get their numbers in the order in which
 * they came, without their secrets. Most activities have none.
 */
export class RecordLog {
  readonly #parts: RecordLogParts;
  readonly #log: ActivityLog;
  readonly #lines: LineRedaction;
  readonly #outbox: LogOutbox;
  /** Writers that may still have something to say. */
  readonly #sources = new Set<LogSource>();
  /** The one of them that gathers its lines. */
  #gatherer: LogSource | undefined;

  constructor(parts: RecordLogParts) {
    this.#parts = parts;
    this.#log = new ActivityLog(parts.limits);
    this.#lines = new LineRedaction(parts.redaction);
    this.#outbox = outboxOf(parts, this.#log.headEnd, () => this.#gatherer?.takeSomeGathered() ?? false);
  }

  get counts() {
    return this.#log.counts;
  }

  /** A line of `log.*` cannot wait: one that comes while too many do is left out, and a line says how many were. */
  message(level: MessageLevel, text: string, source: MessageSource): void {
    this.#takeWaiting();
    if (source === 'log' && this.#outbox.isFull) {
      this.#log.leaveOut(level);
      this.#parts.memory.leaveOut();
    } else this.#write({ level, text, source });
  }

  /** A line of the tracker's whose text is not for whoever called: it stands in the log, and is not streamed to callers. */
  privateMessage(level: MessageLevel, text: string): void {
    this.#takeWaiting();
    this.#write({ level, text, source: 'activity' }, true);
  }

  /** A line of a writer, which waits for room by itself: none is ever left out but by the cap. */
  output(line: OutputLine): void {
    this.takeGathered();
    this.#write(line);
  }

  /** The state of a line that is being rewritten: the latest message, but no line of the log. @returns whether it is new. */
  announce(text: string): boolean {
    return this.#log.announce(this.#parts.redaction.text(text));
  }

  /** Undefined while there is room for more lines; else resolves when there is. Never rejects. */
  whenRoom(): Promise<void> | undefined {
    return this.#outbox.whenRoom();
  }

  get isFlooded(): boolean {
    return this.#outbox.isFlooded;
  }

  /** One source at a time: so that the lines of several stay in order, the next one has those before it taken. */
  gather(source: LogSource, stream: MessageSource): number | undefined {
    const { memory, hasEnded } = this.#parts;
    this.takeGathered();
    if (hasEnded() || !this.isFlooded || memory.isFull) return undefined;
    if (this.#log.tail > MOST_GATHERED || this.#lines.isWithinKey(stream)) return undefined;
    this.#gatherer = source;
    memory.take(GatheredLines.characters, 0);
    return this.#log.tail;
  }

  /** @returns whether lines were left out. */
  gathered(source: LogSource, leftOut: { count: number; level: MessageLevel }): boolean {
    if (this.#gatherer === source) this.#forgetGatherer();
    if (this.#parts.hasEnded() || leftOut.count === 0) return false;
    const about = { source: 'activity', step: this.#parts.step(), at: this.#parts.now() } as const;
    this.#writeGap();
    this.#outbox.leaveOut(this.#log.skip(leftOut.count, leftOut.level, about));
    return true;
  }

  takeGathered(): void {
    this.#gatherer?.takeGathered();
  }

  /** Something that is asked for the rest of its lines before the end. */
  addSource(source: LogSource): void {
    this.#sources.add(source);
  }

  deleteSource(source: LogSource): void {
    this.#sources.delete(source);
  }

  /** Takes what writers have been given so far; called before the last lines of the tracker's own. */
  takeSources(): void {
    for (const source of this.#sources) source.takeRest();
  }

  /** The work is to stop: what it writes waits for nothing but the log. */
  stopSources(): void {
    for (const source of this.#sources) source.stop();
  }

  /** Gives the store every line so far. */
  handAll(): void {
    this.#takeWaiting();
    this.#writeGap();
    this.#outbox.handAll();
  }

  /** The same with the last lines of its writers, which have not been ended. */
  handRest(): void {
    this.takeSources();
    this.#writeGap();
    this.#outbox.handAll();
  }

  /** The activity has ended: nothing is taken any more. */
  close(): void {
    this.#sources.clear();
    if (this.#gatherer) this.#forgetGatherer();
    this.#outbox.close();
  }

  #forgetGatherer(): void {
    this.#gatherer = undefined;
    this.#parts.memory.release(GatheredLines.characters, 0);
  }

  /** What was written before comes before, though its writer may be waiting for its turn. */
  #takeWaiting(): void {
    for (const source of this.#sources) source.takeWaiting();
  }

  #write(said: OutputLine, isPrivate = false): void {
    this.#writeGap();
    const { level, source, step = this.#parts.step() } = said;
    const { text, omitted } = this.#lines.line(said.text, source, said.omitted);
    const { line, cut } = this.#log.write(level, text, { source, step, at: this.#parts.now() }, omitted);
    this.#parts.heard(line, isPrivate);
    if (!this.#parts.isLost()) this.#outbox.push(line, cut);
  }

  #writeGap(): void {
    if (!this.#log.isInGap) return;
    const gap = this.#log.gap({ step: this.#parts.step(), at: this.#parts.now() });
    if (!gap) return;
    this.#parts.heard(gap, false);
    if (!this.#parts.isLost()) this.#outbox.push(gap);
  }
}

function outboxOf(
  { activityId, owner, store, memory, onLost }: RecordLogParts,
  headEnd: number,
  takeSomeGathered: () => boolean,
): LogOutbox {
  const { ownerId, fence } = owner;
  return new LogOutbox({
    headEnd,
    memory,
    append: (lines) => store.append({ activityId, ownerId, fence, lines }),
    trim: (cut) => store.trim({ activityId, ownerId, fence, ...cut }),
    takeSomeGathered,
    onLost,
  });
}
