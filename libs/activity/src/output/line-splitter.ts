import { StringDecoder } from 'node:string_decoder';

/**
 * Cuts chunks of bytes or text into lines, whatever the chunks' borders: UTF-8 characters and CRLF may be split over
 * two. A lone CR starts the line anew, as in a terminal: of a progress bar only its last state is kept. A line longer
 * than `maxLength` is given out up to there; the rest of it is counted and left out.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #parts: string[] = [];
  #length = 0;
  #omitted = 0;
  #carriageReturn = false;

  constructor(
    private readonly emit: (line: string) => void,
    private readonly maxLength: number,
  ) {}

  write(chunk: Uint8Array | string): void {
    const text =
      typeof chunk === 'string'
        ? chunk
        : this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    let from = 0;
    for (const { 0: control, index } of text.matchAll(/[\r\n]/g)) {
      this.#add(text, from, index);
      from = index + 1;
      if (control === '\n') this.#endLine();
      else this.#carriageReturn = true;
    }
    this.#add(text, from, text.length);
  }

  /** The last line need not end with a newline. */
  end(): void {
    const rest = this.#decoder.end();
    this.#add(rest, 0, rest.length);
    if (this.#length > 0) this.#endLine();
  }

  #add(text: string, from: number, to: number): void {
    if (to <= from) return;
    if (this.#carriageReturn) this.#clear();
    const room = this.maxLength - this.#length;
    if (room > 0) this.#parts.push(text.slice(from, Math.min(to, from + room)));
    this.#omitted += Math.max(0, to - from - Math.max(0, room));
    this.#length += Math.min(to - from, Math.max(0, room));
  }

  #endLine(): void {
    const line = this.#parts.join('');
    const omitted = this.#omitted;
    this.#clear();
    this.emit(omitted > 0 ? `${line} … (${omitted.toLocaleString('en')} more characters)` : line);
  }

  #clear(): void {
    this.#parts = [];
    this.#length = 0;
    this.#omitted = 0;
    this.#carriageReturn = false;
  }
}
