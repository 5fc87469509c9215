import type { ActivityFrame, GapFrame, LogFrame } from '../../model/frames.js';

/** Lines that are kept for a slow reader, and their characters; beyond that a `gap` stands for the older half. */
const MAX_LINES = 1_000;
const MAX_CHARACTERS = 4_000_000;

/** What a newer frame of the same type takes the place of. */
export type NewestFrame = Extract<ActivityFrame, { type: 'status' | 'step' | 'progress' }>;

type Waiting = { line: string; seq: number } | { item: string } | { gap: GapFrame };

/**
 * What the reader of a streamed answer has not taken yet, within bounds: of status, step and progress only the newest; of
 * lines the newest, with a `gap` that names the others; values of the handler all, in their place among the lines.
 */
export class FrameBacklog {
  readonly #newest = new Map<NewestFrame['type'], NewestFrame>();
  #waiting: Waiting[] = [];
  #lines = 0;
  #characters = 0;
  #items = 0;
  #itemCharacters = 0;

  get isEmpty(): boolean {
    return this.#newest.size === 0 && this.#waiting.length === 0;
  }

  /** Values that wait: nothing can stand for one, so their bound is for the caller to keep. */
  get items(): { count: number; characters: number } {
    return { count: this.#items, characters: this.#itemCharacters };
  }

  put(frame: NewestFrame): void {
    this.#newest.set(frame.type, frame);
  }

  line(frame: LogFrame): void {
    const line = JSON.stringify(frame);
    this.#waiting.push({ line, seq: frame.seq });
    this.#lines++;
    this.#characters += line.length;
    if (this.#lines > MAX_LINES || this.#characters > MAX_CHARACTERS) this.#leaveOut(Math.ceil(this.#lines / 2));
  }

  /** @param json  a frame, as text. */
  item(json: string): void {
    this.#waiting.push({ item: json });
    this.#items++;
    this.#itemCharacters += json.length;
  }

  /** The next frame as text; undefined when none waits. */
  take(): string | undefined {
    for (const [type, frame] of this.#newest) {
      this.#newest.delete(type);
      return JSON.stringify(frame);
    }
    const next = this.#waiting.shift();
    if (!next) return undefined;
    if ('gap' in next) return JSON.stringify(next.gap);
    if ('item' in next) {
      this.#items--;
      this.#itemCharacters -= next.item.length;
      return next.item;
    }
    this.#lines--;
    this.#characters -= next.line.length;
    return next.line;
  }

  clear(): void {
    this.#newest.clear();
    this.#waiting = [];
    this.#lines = this.#characters = this.#items = this.#itemCharacters = 0;
  }

  /** Many at once, so that a flood of lines costs no walk for each. */
  #leaveOut(lines: number): void {
    const kept: Waiting[] = [];
    let gap: GapFrame | undefined;
    let left = lines;
    const leave = (fromSeq: number, toSeq: number): void => {
      if (gap) gap.toSeq = toSeq;
      else kept.push({ gap: (gap = { type: 'gap', fromSeq, toSeq }) });
    };
    for (const one of this.#waiting) {
      if ('gap' in one) leave(one.gap.fromSeq, one.gap.toSeq);
      else if ('line' in one && left > 0) {
        left--;
        this.#lines--;
        this.#characters -= one.line.length;
        leave(one.seq, one.seq);
      } else kept.push(one);
    }
    this.#waiting = kept;
  }
}
