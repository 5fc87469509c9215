// Not the globals: an app's test that fakes timers must not silence its tracker.
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { Observable, Subject, merge } from 'rxjs';
import { errorText } from '../model/stored-error.js';
import type { ActivityBus, ActivityNotice } from './activity-bus.js';
import type { ActivityBusCarrier, ActivityBusListener } from '../config/bus.options.js';
import { InProcessBus } from './in-process-bus.js';
import { MOST_IN_TEXT, readNotices, writeNotices } from './notice-text.js';

/** More than this is not kept to be sent: a hint that comes late is worth as little as none. */
const MOST_WAITING = 10_000;
/** Of ends that others wait for. */
const MOST_WANTED = 10_000;
/** How often a wish is repeated: who is asked may have been away. */
const WISH_EVERY_MS = 1_000;
const CLOSE_PATIENCE_MS = 1_000;

export interface SharedBusParts {
  /** This process, as others name it. */
  from: string;
  /** How long a notice that is lost may cost, for the log. */
  pollMs: number;
  /** An outage that is shorter, in milliseconds, is not worth a line of the log. Default 5,000. */
  quietMs?: number;
  logger: { log(text: string): void; warn(text: string): void; debug(text: string): void };
}

/**
 * Reaches the other processes by a carrier, where there is one. Notices of one turn of the event loop go in one text. Of all
 * that ends here, others are told only what one of them has said that it waits for.
 */
export class SharedBus implements ActivityBus {
  readonly #parts: SharedBusParts;
  readonly #here = new InProcessBus();
  readonly #gaps = new Subject<void>();
  readonly #waiting = new Map<string, ActivityNotice>();
  readonly #wanted = new Set<string>();
  readonly #wishes = new Map<string, number>();
  #carrier: ActivityBusCarrier | undefined;
  #state: 'connected' | 'disconnected' | 'silent' = 'silent';
  #sending: Promise<void> | undefined;
  #tellOutage: NodeJS.Timeout | undefined;
  #isOutageTold = false;
  readonly notices = this.#here.notices;
  readonly gaps = this.#gaps.asObservable();

  constructor(parts: SharedBusParts) {
    this.#parts = parts;
  }

  get isConnected(): boolean | null {
    return this.#carrier ? this.#state === 'connected' : null;
  }

  /** From here on others are told and heard. */
  open(carrier: ActivityBusCarrier): void {
    this.#carrier = carrier;
    const listener: ActivityBusListener = {
      heard: (text) => this.#hear(text),
      connected: () => this.#connected(),
      disconnected: (why) => this.#disconnected(why),
    };
    try {
      carrier.open(listener);
    } catch (error) {
      this.#disconnected(error);
    }
  }

  publish(notice: ActivityNotice, { onlyIfWanted = false }: { onlyIfWanted?: boolean } = {}): void {
    const isWanted = notice.kind === 'settled' && this.#wanted.delete(notice.activityId);
    if (isWanted || !onlyIfWanted) this.#send(notice);
    this.#here.publish(notice);
  }

  want(activityId: string): void {
    if (!this.#carrier) return;
    const now = performance.now();
    if (now - (this.#wishes.get(activityId) ?? -Infinity) < WISH_EVERY_MS) return;
    // Oldest first: what stands before a young one is to be forgotten.
    for (const [id, at] of this.#wishes) {
      if (now - at < WISH_EVERY_MS) break;
      this.#wishes.delete(id);
    }
    this.#wishes.delete(activityId);
    this.#wishes.set(activityId, now);
    this.#send({ kind: 'wanted', activityId });
  }

  hints(activityId: string): Observable<void> {
    return merge(this.#here.hints(activityId), this.#gaps);
  }

  /** Sends what waits, for a second at most, and closes the carrier. */
  async close(): Promise<void> {
    clearTimeout(this.#tellOutage);
    const carrier = this.#carrier;
    if (!carrier) return;
    const patience = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_PATIENCE_MS).unref());
    await Promise.race([this.#sending, patience]);
    this.#carrier = undefined;
    const closing = (async () => carrier.close())().catch((error: unknown) => {
      this.#parts.logger.debug(`${carrier.name}: it could not be closed: ${errorText(error)}`);
    });
    await Promise.race([closing, patience]);
  }

  #send(notice: ActivityNotice): void {
    if (!this.#carrier || this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.set(`${notice.kind} ${notice.activityId}`, notice);
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async #sendAll(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.size > 0 && this.#carrier) {
      const some = [...this.#waiting].slice(0, MOST_IN_TEXT);
      for (const [key] of some) this.#waiting.delete(key);
      const text = writeNotices(
        this.#parts.from,
        some.map(([, notice]) => notice),
      );
      try {
        await this.#carrier.send(text);
      } catch (error) {
        this.#parts.logger.debug(`${this.#carrier?.name}: a notice could not be sent: ${errorText(error)}`);
      }
    }
  }

  #hear(text: string): void {
    const said = readNotices(text);
    if (!said || said.from === this.#parts.from) return;
    for (const notice of said.notices) {
      if (notice.kind === 'wanted') this.#noteWish(notice.activityId);
      else {
        this.#wanted.delete(notice.activityId);
        this.#here.publish(notice);
      }
    }
  }

  /** Whose activity it is, is not known here: who has it tells of its end. */
  #noteWish(activityId: string): void {
    this.#wanted.add(activityId);
    if (this.#wanted.size > MOST_WANTED) this.#wanted.delete(this.#wanted.values().next().value!);
  }

  #connected(): void {
    const { logger } = this.#parts;
    this.#state = 'connected';
    clearTimeout(this.#tellOutage);
    this.#tellOutage = undefined;
    if (this.#isOutageTold) logger.log(`${this.#carrier?.name}: what other processes say is heard again.`);
    this.#isOutageTold = false;
    this.#wishes.clear();
    this.#gaps.next();
  }

  /** One warning for each outage, not for each attempt. */
  #disconnected(why: unknown): void {
    const { logger, pollMs, quietMs = 5_000 } = this.#parts;
    const { name } = this.#carrier ?? {};
    if (!name) return;
    this.#state = 'disconnected';
    const reason = errorText(why);
    logger.debug(`${name}: what other processes say is not heard: ${reason}`);
    if (this.#isOutageTold) return;
    this.#tellOutage ??= setTimeout(() => {
      this.#isOutageTold = true;
      logger.warn(
        `${name}: what other processes say has not been heard for ${quietMs / 1_000} s (${reason}). Their cancels still ` +
          `arrive, by a poll each ${pollMs} ms; the connection is tried again.`,
      );
    }, quietMs).unref();
  }
}
