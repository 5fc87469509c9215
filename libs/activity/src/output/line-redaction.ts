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

  line(text: string, source: string): string {
    if (this.redaction.isOff) return text;
    const left = this.#withinKey.get(source);
    if (left === undefined) {
      if (hasOpenPrivateKey(text)) this.#withinKey.set(source, LONGEST_KEY);
      return this.redaction.text(text);
    }
    if (left === 1 || hasPrivateKeyEnd(text)) this.#withinKey.delete(source);
    else this.#withinKey.set(source, left - 1);
    return MASK;
  }
}
