import { Writable } from 'node:stream';
import { LineSplitter } from './line-splitter.js';

/** Well above what a line of a log may keep, so that the cut is the log's own. */
const LONGEST_LINE = 128 * 1024;

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
