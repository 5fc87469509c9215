import type { Writable } from 'node:stream';

const tees = new WeakMap<Writable, Tee>();

/**
 * A second place for the bytes of a writer: the response of a call, say. Its back-pressure counts; its failure or its
 * end (a client that left) only ends the copying. It is not ended from here unless asked.
 */
export class Tee {
  #waiting: (() => void)[] = [];
  #hasFailed = false;

  /** One for each stream, so that many writers on one response listen to it once. */
  static to(stream: Writable): Tee {
    let tee = tees.get(stream);
    if (!tee) tees.set(stream, (tee = new Tee(stream)));
    return tee;
  }

  private constructor(private readonly stream: Writable) {
    const goOn = (): void => {
      for (const resolve of this.#waiting.splice(0)) resolve();
    };
    stream.on('drain', goOn);
    stream.on('close', goOn);
    stream.on('finish', goOn);
    // A stream that fails without a listener takes the process down.
    stream.on('error', () => {
      this.#hasFailed = true;
      goOn();
    });
  }

  /** @returns undefined, or a promise of the time when it takes more. Never throws or rejects. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#isOver() || bytes.length === 0) return undefined;
    try {
      if (this.stream.write(bytes) || this.#isOver()) return undefined;
    } catch {
      this.#hasFailed = true;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The same, but what does not fit in is left out. */
  offer(bytes: Uint8Array): void {
    if (!this.stream.writableNeedDrain) void this.write(bytes);
  }

  end(): void {
    if (!this.#isOver()) this.stream.end();
  }

  #isOver(): boolean {
    const { destroyed, writableEnded, closed, errored } = this.stream;
    return this.#hasFailed || destroyed || writableEnded || closed || Boolean(errored);
  }
}
