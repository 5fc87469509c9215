import { Readable } from 'node:stream';
import type { LogLine } from '../../execution/activity-log.js';
import type { ActivityRecord, RecordListener, RecordState } from '../../execution/activity-record.js';
import type { Progress } from '../../model/activity.js';
import type { DoneFrame, ErrorFrame, StartedFrame } from '../../model/frames.js';
import { isFinalStatus } from '../../model/statuses.js';
import { itemFrame } from './final-frames.js';
import { FrameBacklog } from './frame-backlog.js';

/** Some proxies cut what has been silent for 30 s; at worst twice this passes between two lines. */
const HEARTBEAT_MS = 10_000;
/** Values of an Observable, which cannot be told to wait; a reader that is so far behind is cut off. */
const MAX_ITEMS = 10_000;
/** Of all values that wait together; a single one may be as long as it is. */
const MAX_ITEM_CHARACTERS = 16_000_000;

/** In place of what an unknown error says. It has a place, so that the numbers of the lines have no hole. */
const PRIVATE_LINE = 'This line is for those who may read the log of the activity.';

/**
 * The frames of one activity as a stream of bytes, one JSON text a line. What waits for a slow reader is bounded
 * (`FrameBacklog`). Destroying it, since the client has left, harms nothing: what is said after that is dropped.
 */
export class FrameStream extends Readable implements RecordListener {
  readonly #backlog = new FrameBacklog();
  readonly #drained: (() => void)[] = [];
  #told: RecordState | undefined;
  #started = false;
  #last: string | undefined;
  #wanted = false;
  #idle = true;
  #stopFollowing: (() => void) | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  /** Hears what the activity says from now on; nothing goes out before `start`. */
  follow(record: ActivityRecord): void {
    this.#told = record.state;
    this.#stopFollowing = record.observe(this);
  }

  /** The first frame; from here on the others go out as they come. */
  start(frame: StartedFrame): void {
    if (this.destroyed) return;
    this.#started = true;
    if (this.#told) this.#told = { ...this.#told, status: frame.status };
    this.#heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS).unref();
    this.#send(JSON.stringify(frame));
    this.#pump();
  }

  line({ at, ...line }: LogLine, isPrivate: boolean): void {
    if (this.isClosed) return;
    const { text } = line;
    this.#backlog.line({ type: 'log', ...line, text: isPrivate ? PRIVATE_LINE : text, at: at.toISOString() });
    this.#pump();
  }

  changed(state: RecordState): void {
    if (this.isClosed) return;
    const { status, step, progress } = this.#told ?? {};
    this.#told = state;
    // The first status and a final one have frames of their own.
    if (this.#started && state.status !== status && !isFinalStatus(state.status)) {
      this.#backlog.put({ type: 'status', status: state.status });
    }
    if (state.step !== step) this.#backlog.put({ type: 'step', step: state.step });
    if (!isSame(state.progress, progress)) {
      this.#backlog.put({ type: 'progress', ...state.progress });
    }
    this.#pump();
  }

  /**
   * One value of the handler.
   * @returns when the reader has taken it, or has left.
   */
  item(value: unknown): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.#backlog.item(itemFrame(value));
    this.#pump();
    const { count, characters } = this.#backlog.items;
    if (count > MAX_ITEMS || (count > 1 && characters > MAX_ITEM_CHARACTERS)) this.destroy();
    return this.#backlog.isEmpty ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  /** The last frame, once all others have been taken. Only the first call counts. */
  end(frame: DoneFrame | ErrorFrame): void {
    if (this.isClosed) return;
    this.#last = JSON.stringify(frame);
    this.#release();
    this.#pump();
  }

  /** Says that the connection is alive, if nothing else has since the last beat. */
  beat(): void {
    if (this.#idle && this.#wanted) this.#send('{"type":"heartbeat"}');
    this.#idle = true;
  }

  override _read(): void {
    this.#wanted = true;
    this.#pump();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#release();
    this.#backlog.clear();
    this.#tellDrained();
    callback(error);
  }

  /** True when the last frame is given, or the reader has left. */
  get isClosed(): boolean {
    return this.#last !== undefined || this.destroyed;
  }

  #pump(): void {
    if (!this.#started) return;
    while (this.#wanted) {
      const frame = this.#backlog.take();
      if (frame === undefined) break;
      this.#send(frame);
    }
    if (!this.#backlog.isEmpty) return;
    this.#tellDrained();
    if (this.#last === undefined || this.destroyed) return;
    this.#started = false;
    this.push(`${this.#last}\n`);
    this.push(null);
  }

  #send(frame: string): void {
    this.#idle = false;
    // Before the push: it may be answered by `_read` at once.
    this.#wanted = false;
    if (this.push(`${frame}\n`)) this.#wanted = true;
  }

  #tellDrained(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #release(): void {
    clearInterval(this.#heartbeat);
    this.#stopFollowing?.();
  }
}

/** The speed alone makes no frame: it changes with time, whatever happens. */
function isSame(a: Progress, b: Progress | undefined): boolean {
  return a.percent === b?.percent && a.current === b.current && a.total === b.total && a.unit === b.unit;
}
