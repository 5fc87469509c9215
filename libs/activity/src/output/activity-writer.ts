import { Writable } from 'node:stream';
import { LONGEST_LINE } from './line-lengths.js';
import { LineSplitter } from './line-splitter.js';

/**
 * A `Writable` that gives out what is written to it line by line. It never raises an uncaught error: a stream that is
 * destroyed by a cancel or a disconnect only stops.
 */
export class ActivityWriter extends Writable {
  readonly #lines: LineSplitter;

  constructor(onLine: (line: string) => void) {
    super({ decodeStrings: true });
    this.#lines = new LineSplitter(onLine, LONGEST_LINE);
    this.on('error', () => undefined);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#lines.write(chunk);
    callback();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#lines.end();
    callback();
  }

  /** A line cut short by a cancel is still a line: often the one that says why. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.writableFinished) this.#lines.end();
    callback(error);
  }
}
