import { Buffer } from 'node:buffer';

const LF = 0x0a;
const CR = 0x0d;
/** What is held of a line between two chunks starts small and doubles: most lines come whole. */
const FIRST_HELD_BYTES = 256;
const KEPT_HELD_BYTES = 4_096;
const FEW_BYTES = 16;
/** Of a line that is being rewritten so much is told: else a long one would be read anew with each chunk of it. */
const TOLD_BYTES = 8_192;

export interface LineSink {
  /** @param omitted  how many more characters (UTF-16 units) the line had. */
  line(text: string, omitted: number): void;
  /** What a line that is being rewritten says now: a progress bar. At most once for each chunk. */
  rewriting(text: string): void;
}

/**
 * Cuts chunks of bytes into lines of UTF-8 text, the same ones whatever the chunks' borders. LF and CRLF end a line; a
 * lone CR starts it anew, as in a terminal, so that of a progress bar only its last state is kept. A line longer than
 * `maxBytes` is given out up to there, cut on a character; the rest is counted and left out. Each byte is looked at a
 * fixed number of times, and no more than `maxBytes` are held.
 */
export class LineSplitter {
  #held = Buffer.alloc(0);
  #length = 0;
  #omitted = 0;
  /** The line begins anew with the next character. */
  #isReturned = false;
  #isRewritten = false;
  /** How many bytes of the line that is being rewritten have been told. */
  #told = 0;
  #isSplitting = false;
  /** Chunks that came while the lines of another one were given out. */
  readonly #next: Uint8Array[] = [];

  constructor(
    private readonly sink: LineSink,
    private readonly maxBytes: number,
  ) {}

  /** Whoever gets a line may write meanwhile: what it writes comes after the chunk of that line. */
  write(bytes: Uint8Array): void {
    if (this.#isSplitting) {
      this.#next.push(bytes);
      return;
    }
    this.#isSplitting = true;
    try {
      this.#split(bytes);
      for (let next = this.#next.shift(); next; next = this.#next.shift()) this.#split(next);
    } finally {
      this.#isSplitting = false;
    }
  }

  #split(bytes: Uint8Array): void {
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let from = 0;
    let cr = placeOf(CR, chunk, 0);
    for (let lf = placeOf(LF, chunk, 0); lf !== -1; lf = placeOf(LF, chunk, from)) {
      if (cr !== -1 && cr < from) cr = placeOf(CR, chunk, from);
      if (cr === -1 || cr > lf) this.#endLine(chunk, from, lf);
      else {
        this.#rewrite(chunk, from, lf);
        this.#endLine(chunk, lf, lf);
      }
      from = lf + 1;
    }
    if (from === chunk.length) return;
    if (cr !== -1 && cr < from) cr = placeOf(CR, chunk, from);
    if (cr === -1) this.#hold(chunk, from, chunk.length);
    else this.#rewrite(chunk, from, chunk.length);
    if (this.#isRewritten) this.#tell();
  }

  /** The last line need not end with a newline. */
  end(): void {
    if (this.#length > 0) this.#endLine(this.#held, 0, 0);
  }

  /** Takes a part of a line that has a CR in it: what counts stands behind the last one that is followed by anything. */
  #rewrite(chunk: Buffer, from: number, to: number): void {
    let end = to;
    while (end > from && chunk[end - 1] === CR) end--;
    const last = end > from ? chunk.lastIndexOf(CR, end - 1) : -1;
    if (last >= from) {
      this.#clear();
      this.#isRewritten = true;
      this.#hold(chunk, last + 1, end);
    } else {
      this.#hold(chunk, from, end);
    }
    if (end < to) this.#isReturned = true;
  }

  #hold(chunk: Buffer, from: number, to: number): void {
    if (to === from) return;
    if (this.#isReturned) {
      this.#clear();
      this.#isRewritten = true;
    }
    const end = Math.min(to, from + this.maxBytes - this.#length);
    if (this.#held.length < this.#length + end - from) this.#grow(this.#length + end - from);
    if (end - from === 1) this.#held[this.#length] = chunk[from]!;
    else chunk.copy(this.#held, this.#length, from, end);
    this.#length += end - from;
    if (end < to) this.#omitted += unitsIn(chunk, end, to);
  }

  #tell(): void {
    const end = wholeCharacters(this.#held, Math.min(this.#length, TOLD_BYTES));
    if (end === this.#told) return;
    this.#told = end;
    this.sink.rewriting(this.#held.toString('utf8', 0, end));
  }

  #grow(needed: number): void {
    const capacity = Math.min(this.maxBytes, Math.max(needed, 2 * this.#held.length, FIRST_HELD_BYTES));
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#held.copy(grown, 0, 0, this.#length);
    this.#held = grown;
  }

  #endLine(chunk: Buffer, from: number, to: number): void {
    if (this.#length === 0 && to - from <= this.maxBytes) {
      this.#isReturned = this.#isRewritten = false;
      this.sink.line(chunk.toString('utf8', from, to), 0);
      return;
    }
    this.#hold(chunk, from, to);
    const end = this.#omitted > 0 ? wholeCharacters(this.#held, this.#length) : this.#length;
    const omitted = this.#omitted + unitsIn(this.#held, end, this.#length);
    const text = this.#held.toString('utf8', 0, end);
    this.#clear();
    if (this.#held.length > KEPT_HELD_BYTES) this.#held = Buffer.alloc(0);
    this.sink.line(text, omitted);
  }

  #clear(): void {
    this.#length = 0;
    this.#told = 0;
    this.#omitted = 0;
    this.#isReturned = this.#isRewritten = false;
  }
}

/** Chunks of a few bytes are looked through here: a call of Buffer's own search costs as much as fifty bytes of this. */
function placeOf(byte: number, chunk: Buffer, from: number): number {
  if (chunk.length > FEW_BYTES) return chunk.indexOf(byte, from);
  for (let at = from; at < chunk.length; at++) if (chunk[at] === byte) return at;
  return -1;
}

/** How many UTF-16 units the UTF-8 bytes make, told by the bytes that begin a character. */
function unitsIn(bytes: Buffer, from: number, to: number): number {
  let units = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

/** The end of the last character that is whole. */
function wholeCharacters(bytes: Buffer, length: number): number {
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = bytes[length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const width = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return width > back ? length - back : length;
  }
  return length;
}
