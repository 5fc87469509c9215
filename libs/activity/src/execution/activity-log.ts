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

/**
 * Numbers the lines of one activity and keeps them within bounds: long lines are cut with a mark, and of too many the
 * first half and the newest stay. What is cut goes in ranges, so it costs no delete per line.
 */
export class ActivityLog {
  readonly #limits: LogLimits;
  readonly #headEnd: number;
  readonly #tail: number;
  readonly #cutBy: number;
  #seq = 0;
  /** The last `seq` that has been left out; equals `#headEnd` while nothing has. */
  #cutTo: number;
  #dropped = 0;
  #warnings = 0;
  #errors = 0;
  #latest: string | null = null;

  constructor(limits: LogLimits) {
    this.#limits = limits;
    this.#headEnd = Math.floor(limits.maxMessages / 2);
    this.#cutBy = Math.max(1, Math.floor(limits.maxMessages / 10));
    // One place is the marker's.
    this.#tail = limits.maxMessages - this.#headEnd - this.#cutBy - 1;
    this.#cutTo = this.#headEnd;
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

  /** @returns the line to store and, when the cap is passed, the range to leave out. */
  write(level: MessageLevel, text: string, about: { source: MessageSource; step: string | null; at: Date }) {
    const line: LogLine = {
      seq: ++this.#seq,
      level: MESSAGE_LEVELS.includes(level) ? level : 'info',
      text: cutText(text, this.#limits.maxMessageLength),
      ...about,
    };
    if (level === 'warn') this.#warnings++;
    if (level === 'error') this.#errors++;
    this.#latest = line.text;
    return { line, cut: this.#cutIfTooLong(about) };
  }

  #cutIfTooLong(about: { step: string | null; at: Date }): LogCut | undefined {
    if (this.#seq - this.#cutTo < this.#tail + this.#cutBy) return undefined;
    const fromSeq = this.#dropped === 0 ? this.#cutTo + 1 : this.#cutTo;
    const toSeq = this.#seq - this.#tail;
    this.#dropped = toSeq - this.#headEnd;
    this.#cutTo = toSeq;
    const text = `… ${this.#dropped.toLocaleString('en')} lines left out (the cap is ${this.#limits.maxMessages.toLocaleString('en')}) …`;
    return { fromSeq, toSeq, marker: { ...about, seq: toSeq, level: 'info', text, source: 'activity' } };
  }
}

/** Cuts text to `max` UTF-16 units, mark included, never in the middle of a character; the mark says how much is missing. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  const mark = (missing: number): string => ` … (${missing.toLocaleString('en')} more characters)`;
  let end = Math.max(0, max - mark(text.length).length);
  const last = text.charCodeAt(end - 1);
  if (last >= 0xd800 && last <= 0xdbff) end -= 1;
  return text.slice(0, end) + mark(text.length - end);
}
