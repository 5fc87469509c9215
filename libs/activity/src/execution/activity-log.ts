import { MESSAGE_LEVELS, type ActivityMessage, type MessageLevel, type MessageSource } from '../model/activity.js';

/** One line as the log gives it out to be stored. */
export type LogLine = Omit<ActivityMessage, 'activityId'>;

/** A range that the cap leaves out, with the line that stands in its place. */
export interface LogCut {
  fromSeq: number;
  toSeq: number;
  marker: LogLine;
}

export interface LogLimits {
  maxMessageLength: number;
  maxMessages: number;
}

export interface LineFacts {
  source: MessageSource;
  step: string | null;
  at: Date;
}

/**
 * Numbers the lines of one activity and keeps them within bounds: long lines are cut with a mark, and of too many the
 * first half and the newest stay. What is cut goes in ranges, so it costs no delete per line.
 */
export class ActivityLog {
  /** The last `seq` of the first half, which is never left out. */
  readonly headEnd: number;
  readonly #limits: LogLimits;
  readonly #tail: number;
  readonly #cutBy: number;
  #seq = 0;
  /** The last `seq` that has been left out; equals `headEnd` while nothing has. */
  #cutTo: number;
  /** Ranges of lines that nobody could take, in order, without those that the cap has left out since. */
  #gaps: { fromSeq: number; toSeq: number }[] = [];
  #isInGap = false;
  #warnings = 0;
  #errors = 0;
  #latest: string | null = null;

  constructor(limits: LogLimits) {
    this.#limits = limits;
    this.headEnd = Math.floor(limits.maxMessages / 2);
    this.#cutBy = Math.max(1, Math.floor(limits.maxMessages / 10));
    // One place is the marker's.
    this.#tail = limits.maxMessages - this.headEnd - this.#cutBy - 1;
    this.#cutTo = this.headEnd;
  }

  /** How many of the newest lines are never left out. */
  get tail(): number {
    return this.#tail;
  }

  /** Whether lines were left out since the last one, for which `gap` gives one. */
  get isInGap(): boolean {
    return this.#isInGap;
  }

  get counts() {
    return {
      messageCount: this.#seq,
      warningCount: this.#warnings,
      errorCount: this.#errors,
      droppedMessageCount: this.#dropped,
      latestMessage: this.#latest,
    };
  }

  /**
   * @param omitted  how many characters of the line are missing already.
   * @returns the line to store and, when the cap is passed, the range to leave out.
   */
  write(level: MessageLevel, text: string, about: LineFacts, omitted = 0): { line: LogLine; cut?: LogCut } {
    this.#isInGap = false;
    this.#count(level, 1);
    const line: LogLine = {
      seq: this.#seq,
      level: MESSAGE_LEVELS.includes(level) ? level : 'info',
      text: cutText(text, this.#limits.maxMessageLength, omitted),
      source: about.source,
      step: about.step,
      at: about.at,
    };
    this.#latest = line.text;
    const cut = this.#cutIfTooLong(about);
    return cut ? { line, cut } : { line };
  }

  /**
   * Counts lines that the cap leaves out, which nobody has looked at; at least `tail` more follow, or are there.
   * @returns the range to leave out: all up to here but the first half.
   */
  skip(count: number, level: MessageLevel, about: LineFacts): LogCut {
    this.#isInGap = false;
    this.#count(level, count);
    return this.#cut(this.#seq, about);
  }

  /** Counts a line that is not kept, since too many wait already; `gap` gives the line in the place of all of them. */
  leaveOut(level: MessageLevel): void {
    this.#count(level, 1);
    if (this.#isInGap) this.#gaps.at(-1)!.toSeq = this.#seq;
    else this.#gaps.push({ fromSeq: this.#seq, toSeq: this.#seq });
    this.#isInGap = true;
  }

  /** The line that stands in the place of what was left out since the last line, if anything was. */
  gap(about: Omit<LineFacts, 'source'>): LogLine | undefined {
    const gap = this.#gaps.at(-1);
    if (!this.#isInGap || !gap) return undefined;
    this.#isInGap = false;
    const missing = (gap.toSeq - gap.fromSeq + 1).toLocaleString('en');
    const text = `… ${missing} lines left out: they came faster than the database took them …`;
    return { ...about, seq: gap.toSeq, level: 'warn', text, source: 'activity' };
  }

  /** What is going on, though it is no line (yet): the state of a progress bar. */
  announce(text: string): boolean {
    const latest = cutText(text, this.#limits.maxMessageLength);
    const isNew = latest !== this.#latest;
    this.#latest = latest;
    return isNew;
  }

  #count(level: MessageLevel, lines: number): void {
    this.#seq += lines;
    if (level === 'warn') this.#warnings += lines;
    if (level === 'error') this.#errors += lines;
  }

  get #dropped(): number {
    let dropped = this.#cutTo - this.headEnd;
    for (const { fromSeq, toSeq } of this.#gaps) {
      const inHead = Math.max(0, Math.min(toSeq, this.headEnd) - fromSeq + 1);
      const inTail = Math.max(0, toSeq - Math.max(fromSeq - 1, this.#cutTo));
      dropped += inHead + inTail;
    }
    return dropped;
  }

  #cutIfTooLong(about: LineFacts): LogCut | undefined {
    if (this.#seq - this.#cutTo < this.#tail + this.#cutBy) return undefined;
    return this.#cut(this.#seq - this.#tail, about);
  }

  #cut(toSeq: number, about: LineFacts): LogCut {
    const isFirst = this.#cutTo === this.headEnd;
    const fromSeq = isFirst ? this.#cutTo + 1 : this.#cutTo;
    this.#cutTo = toSeq;
    this.#gaps = this.#gaps.filter((gap) => gap.toSeq > toSeq || gap.fromSeq <= this.headEnd);
    const text = `… ${(toSeq - this.headEnd).toLocaleString('en')} lines left out (the cap is ${this.#limits.maxMessages.toLocaleString('en')}) …`;
    return { fromSeq, toSeq, marker: { ...about, seq: toSeq, level: 'info', text, source: 'activity' } };
  }
}

/**
 * Cuts text to `max` UTF-16 units, mark included, never in the middle of a character; the mark says how much is missing.
 * @param omitted  what is missing already.
 */
export function cutText(text: string, max: number, omitted = 0): string {
  if (text.length <= max && omitted === 0) return text;
  const mark = (missing: number): string => ` … (${missing.toLocaleString('en')} more characters)`;
  let end = Math.min(text.length, Math.max(0, max - mark(text.length + omitted).length));
  const last = text.charCodeAt(end - 1);
  if (last >= 0xd800 && last <= 0xdbff) end -= 1;
  return text.slice(0, end) + mark(text.length - end + omitted);
}
