import { Buffer } from 'node:buffer';

const LF = 0x0a;
const CAPACITY = 1_048_576;
/** Where lines are left out is looked at in pieces of so many bytes. */
const PIECE_BYTES = 16_384;
/** So much becomes text in one turn of the event loop. */
const TURN_BYTES = 65_536;
const KEY_BEGIN = Buffer.from('-----BEGIN ');

/** Bytes, and how many lines before them were left out. */
export interface Taken {
  leftOut: number;
  bytes: Buffer;
}

/**
 * The bytes of a source that says far more than is kept: its newest lines become text when they are asked for, the
 * others are counted and never looked at again. It begins at the beginning of a line.
 */
export class GatheredLines {
  /** What one takes of the memory. */
  static readonly characters = CAPACITY;

  readonly #bytes = Buffer.allocUnsafeSlow(CAPACITY);
  #length = 0;
  #lines = 0;
  #leftOut = 0;
  /** Ends of pieces, with the lines that end before them. */
  #pieces: { end: number; lines: number }[] = [];

  /** @param keep  so many of the newest lines are never left out. */
  constructor(private readonly keep: number) {}

  /** @returns false when there is no room: then nothing has been added, and all of it is to be taken. */
  add(chunk: Buffer): boolean {
    if (this.#length + chunk.length > CAPACITY) {
      this.#leaveOut();
      if (this.#length + chunk.length > CAPACITY) return false;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
    this.#lines += linesIn(chunk);
    if (this.#length - (this.#pieces.at(-1)?.end ?? 0) >= PIECE_BYTES) {
      this.#pieces.push({ end: this.#length, lines: this.#lines });
    }
    return true;
  }

  /** Gives out all there is. */
  take(): Taken {
    this.#leaveOut();
    return this.#shift(this.#length);
  }

  /** The same for the oldest of the lines that have not been left out: as many as one turn of the event loop may take. */
  takeSome(): Taken {
    this.#leaveOut();
    const end = this.#bytes.subarray(0, Math.min(this.#length, TURN_BYTES)).lastIndexOf(LF) + 1;
    return this.#shift(end || this.#length);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  #leaveOut(): void {
    const place = this.#pieces.findLastIndex(({ lines }) => this.#lines - lines >= this.keep);
    if (place === -1) return;
    const { end, lines } = this.#pieces[place]!;
    const to = this.#bytes.lastIndexOf(LF, end - 1) + 1;
    // A private key that begins here may go on in what is kept: whoever masks it must see its beginning.
    if (to === 0 || this.#bytes.subarray(0, to).includes(KEY_BEGIN)) return;
    this.#leftOut += lines;
    this.#forget(to, lines);
  }

  #shift(to: number): Taken {
    const taken = { leftOut: this.#leftOut, bytes: Buffer.from(this.#bytes.subarray(0, to)) };
    this.#leftOut = 0;
    this.#forget(to, linesIn(taken.bytes));
    return taken;
  }

  #forget(to: number, lines: number): void {
    this.#bytes.copyWithin(0, to, this.#length);
    this.#length -= to;
    this.#lines -= lines;
    this.#pieces = this.#pieces
      .filter(({ end }) => end > to)
      .map((piece) => ({ end: piece.end - to, lines: piece.lines - lines }));
  }
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}
