import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers';
import { GatheredLines } from './gathered-lines.js';
import { LineSplitter, type LineSink } from './line-splitter.js';
import { Tee } from './tee.js';

const LF = 0x0a;
/** How long a source that never waits may keep the event loop to itself. */
const TURN_MS = 10;
/** The clock is asked once for so many bytes, of which each chunk is a thousand by itself. */
const BYTES_A_LOOK = 16_384;
const BYTES_OF_A_CHUNK = 1_024;
/** Encodings in which a string stands for bytes; in every other one it is text. */
const BYTE_ENCODINGS: ReadonlySet<string> = new Set(['hex', 'base64', 'base64url']);

type Chunk = Buffer | string;

/** Where the lines of a writer go. */
export interface WriterTarget extends LineSink {
  /** Whether far more lines come than are kept: then it is worth while to ask `gather`. */
  readonly isFlooded: boolean;
  /**
   * Asks whether lines may be gathered from now on, until the target calls `takeGathered`.
   * @returns how many of the newest are kept whatever comes; undefined when each is to be given at once.
   */
  gather(writer: ActivityWriter): number | undefined;
  /** Those that were gathered come now, but for the first `leftOut` of them, which do not come at all. */
  gathered(writer: ActivityWriter, leftOut: number): void;
  /** Undefined while there is room; else resolves when there is. Never rejects. */
  whenRoom(): Promise<void> | undefined;
  /** Resolves when every line so far is durable, or given up. */
  flushed(): Promise<void>;
  /** Called once, when no line comes any more. */
  closed(writer: ActivityWriter): void;
}

export interface WriterParts {
  target: WriterTarget;
  maxLineBytes: number;
  tee?: Writable;
  endTee?: boolean;
}

/**
 * A `Writable` whose lines go to the log of an activity. It pushes back (`write()` gives false, callbacks come later)
 * while more waits for the database than the memory may hold, and never loses a line that it has taken: an end, a
 * `destroy` and the end of the activity all take what has been written so far, also a last line without a newline.
 * It raises no uncaught error: one that is destroyed with an error only stops.
 */
export class ActivityWriter extends Writable {
  readonly #target: WriterTarget;
  readonly #lines: LineSplitter;
  readonly #tee: Tee | undefined;
  readonly #endTee: boolean;
  #gathered: GatheredLines | undefined;
  /** Chunks whose lines were taken before Node hands them over. */
  #takenAhead = 0;
  #goOn: (() => void) | undefined;
  #isRushing = false;
  #isStopped = false;
  #sinceLook = 0;
  #turnEnds = 0;
  #isClosed = false;

  constructor({ target, maxLineBytes, tee, endTee = false }: WriterParts) {
    super({ decodeStrings: false });
    this.#target = target;
    this.#lines = new LineSplitter(target, maxLineBytes);
    this.#tee = tee && Tee.to(tee);
    this.#endTee = endTee;
    this.on('error', () => undefined);
  }

  /** Resolves when every line written so far is durable, or given up by the store. Never rejects. */
  flushed(): Promise<void> {
    if (this.writableEnded) this.takeRest();
    else this.takeWaiting();
    return this.#target.flushed();
  }

  /**
   * Takes all that has been written so far, the last line without its newline too: the activity ends.
   * @internal
   */
  takeRest(): void {
    this.takeWaiting();
    this.#lines.end();
  }

  /**
   * Takes what comes as it comes from now on: its source has been stopped, and what is left of it is little.
   * @internal
   */
  rush(): void {
    this.#isRushing = true;
    this.#goOn?.();
  }

  /**
   * The activity is to stop: whoever writes must not wait for a reader of `tee` that reads no more, or never. What that
   * has no room for is not copied from now on.
   * @internal
   */
  stop(): void {
    this.#isStopped = true;
    this.#goOn?.();
  }

  /**
   * Takes what has been gathered, which was there before anything that comes now.
   * @internal
   */
  takeGathered(): void {
    if (!this.#gathered) return;
    const { leftOut, bytes } = this.#gathered.take();
    this.#gathered = undefined;
    this.#target.gathered(this, leftOut);
    this.#lines.write(bytes);
  }

  /**
   * Takes some of it, so that it can be read while more comes.
   * @returns whether there is more.
   * @internal
   */
  takeSomeGathered(): boolean {
    const gathered = this.#gathered;
    if (!gathered) return false;
    const { leftOut, bytes } = gathered.takeSome();
    this.#gathered = undefined;
    this.#target.gathered(this, leftOut);
    this.#lines.write(bytes);
    if (gathered.isEmpty) return false;
    this.#gathered = gathered;
    if (this.#target.gather(this) !== undefined) return true;
    this.takeGathered();
    return false;
  }

  /**
   * Takes all that has been written so far but the last line's end: more of it may come.
   * @internal
   */
  takeWaiting(): void {
    this.takeGathered();
    // Node's types leave out `writableBuffer`: what it keeps while a callback is held back.
    const { writableBuffer = [] } = this as { writableBuffer?: ({ chunk: Chunk; encoding: BufferEncoding } | null)[] };
    // Those that it has handed over are null before it forgets them.
    const waiting = writableBuffer.filter((entry) => entry !== null).slice(this.#takenAhead);
    for (const { chunk, encoding } of waiting) this.#lines.write(bytesOf(chunk, encoding));
    this.#takenAhead += waiting.length;
  }

  override _write(chunk: Chunk, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const bytes = bytesOf(chunk, encoding);
    if (this.#takenAhead > 0) this.#takenAhead--;
    else this.#take(bytes);
    const room = this.#target.whenRoom();
    const copied = this.#copy(bytes);
    const turn = this.#turn(bytes.length);
    if (this.#isRushing || (!room && !copied && !turn)) {
      callback();
      return;
    }
    const goOn = (): void => {
      if (this.#goOn !== goOn) return;
      this.#goOn = undefined;
      callback();
    };
    this.#goOn = goOn;
    void Promise.all([room, copied, turn]).then(goOn);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#close();
    if (this.#endTee) this.#tee?.end();
    callback();
  }

  /** A line cut short by a cancel is still a line: often the one that says why. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#close();
    callback(error);
  }

  #take(bytes: Buffer): void {
    if (this.#gathered?.add(bytes)) return;
    this.takeGathered();
    // What is gathered begins with a line.
    const begin = this.#target.isFlooded ? bytes.lastIndexOf(LF) + 1 : 0;
    if (begin > 0) {
      this.#lines.write(bytes.subarray(0, begin));
      const keep = this.#target.gather(this);
      if (keep !== undefined) this.#gathered = new GatheredLines(keep);
    }
    const rest = bytes.subarray(begin);
    if (!this.#gathered?.add(rest)) this.#lines.write(rest);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.takeRest();
    this.#target.closed(this);
  }

  #copy(bytes: Buffer): Promise<void> | undefined {
    if (!this.#isStopped) return this.#tee?.write(bytes);
    this.#tee?.offer(bytes);
    return undefined;
  }

  /** A source that is read in microtasks only would keep the event loop from everybody else. */
  #turn(bytes: number): Promise<void> | undefined {
    this.#sinceLook += bytes + BYTES_OF_A_CHUNK;
    if (this.#sinceLook < BYTES_A_LOOK) return undefined;
    this.#sinceLook = 0;
    const now = performance.now();
    if (now < this.#turnEnds) return undefined;
    const isFirst = now > this.#turnEnds + TURN_MS;
    this.#turnEnds = now + TURN_MS;
    if (isFirst) return undefined;
    return new Promise((resolve) => setImmediate(resolve));
  }
}

function bytesOf(chunk: Chunk, encoding: BufferEncoding): Buffer {
  if (typeof chunk !== 'string') return chunk;
  return Buffer.from(chunk, BYTE_ENCODINGS.has(encoding.toLowerCase()) ? encoding : 'utf8');
}
