import { MASK, type Redaction } from './redaction.js';
import { hasOpenPrivateKey, hasPrivateKeyEnd } from './redaction-spans.js';

/** The longest RSA key in use (16,384 bits) takes 200 lines. */
const LONGEST_KEY = 256;

/**
 * The lines of one activity without their secrets. A private key takes many lines: from its first on, the lines of the
 * same source are masked until its last, or for 256 lines where none comes.
 */
export class LineRedaction {
  /** Of each source within a key, how many more lines may belong to it. */
  readonly #withinKey = new Map<string, number>();

  constructor(private readonly redaction: Redaction) {}

  /** Whether the next line of the source may belong to a private key. */
  isWithinKey(source: string): boolean {
    return this.#withinKey.has(source);
  }

  /**
   * @param omitted  how many characters of the line are missing already.
   * @returns how many are missing then, too.
   */
  line(text: string, source: string, omitted = 0): { text: string; omitted: number } {
    if (this.redaction.isOff) return { text, omitted };
    const left = this.#withinKey.get(source);
    if (left === undefined) {
      if (hasOpenPrivateKey(text)) this.#withinKey.set(source, LONGEST_KEY);
      return this.redaction.beginning(text, omitted);
    }
    if (left === 1 || hasPrivateKeyEnd(text)) this.#withinKey.delete(source);
    else this.#withinKey.set(source, left - 1);
    return { text: MASK, omitted: 0 };
  }
}
