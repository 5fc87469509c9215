import { randomUUID } from 'node:crypto';
// Not the globals: an app's test that fakes timers must not keep its tracker from hearing.
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as delay } from 'node:timers/promises';
import type { ActivityBusCarrier, ActivityBusListener } from '../config/bus.options.js';
import { reconnectDelayMs } from './reconnect-delay.js';

/** What is used of pg's client. */
export interface ListeningClient {
  connect(): Promise<unknown>;
  query(sql: string, values?: readonly unknown[]): Promise<unknown>;
  on(event: 'notification', listener: (message: { channel: string; payload?: string }) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  end(): Promise<unknown>;
  /** Lets the process end although it is connected; a client of older versions has none. */
  unref?(): void;
  ref?(): void;
}

export interface PostgresCarrierParts {
  channel: string;
  /** A connection of its own, not yet connected. */
  client: () => ListeningClient;
  /** Notifies by any other connection. */
  notify: (channel: string, text: string) => Promise<unknown>;
}

/** How often it is tried whether what is sent arrives: a connection may be dead without a word. */
const CHECK_EVERY_MS = 30_000;
const CHECK_PATIENCE_MS = 3_000;
const CHECK = 'check ';
/**
 * A notice that is lost costs little, so it does not wait for the disk. For this statement alone: behind a pooler another
 * client has the same session next.
 */
const NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
/** Behind a pooler it never does; else the connection has broken without a word. */
const DEAF =
  'a notification that was sent has not arrived. LISTEN needs a connection of its own, which a pooler in transaction mode ' +
  '(PgBouncer, say) does not give: let the tracker connect to the database itself (the option `connection`), choose ' +
  "another `bus`, or say `bus: 'off'`";

/**
 * `LISTEN` and `NOTIFY` on one connection of its own: it is never part of anybody's transaction, and what fails here fails
 * nothing else. That what is sent arrives is tried by a notification to itself over another connection: behind a pooler in
 * transaction mode `LISTEN` succeeds, and nothing is ever heard.
 */
export class PostgresCarrier implements ActivityBusCarrier {
  readonly name = 'PostgreSQL notifications';
  readonly #parts: PostgresCarrierParts;
  readonly #closing = new AbortController();
  #client: ListeningClient | undefined;
  #isListening = false;
  #listener!: ActivityBusListener;
  #check: { text: string; arrived: () => void } | undefined;
  #run: Promise<void> = Promise.resolve();

  constructor(parts: PostgresCarrierParts) {
    this.#parts = parts;
  }

  open(listener: ActivityBusListener): void {
    this.#listener = listener;
    this.#run = this.#stayConnected();
  }

  async send(text: string): Promise<void> {
    if (!this.#isListening) return;
    await this.#client?.query(NOTIFY, [this.#parts.channel, text]).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    // Whoever waits for the end must not be left waiting by a process that ends since nothing else is open.
    this.#client?.ref?.();
    await this.#client?.end().catch(() => undefined);
    await this.#run;
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#listen(() => (attempt = 0));
      } catch (error) {
        if (!signal.aborted) this.#listener.disconnected(error);
      }
      await pause(reconnectDelayMs(attempt), signal);
    }
  }

  /** One connection, from its beginning to its end. @throws what has ended it. */
  async #listen(onConnected: () => void): Promise<void> {
    const client = this.#parts.client();
    const lost = whenLost(client);
    client.on('notification', ({ payload = '' }) => this.#hear(payload));
    this.#client = client;
    try {
      await client.connect();
      client.unref?.();
      await client.query(`LISTEN "${this.#parts.channel}"`);
      this.#isListening = true;
      onConnected();
      await this.#checkUntil(lost);
    } finally {
      this.#isListening = false;
      this.#client = undefined;
      void client.end().catch(() => undefined);
    }
  }

  /** Tries again and again whether notifications arrive. @throws when the connection is lost, or has gone deaf. */
  async #checkUntil(lost: AbortSignal): Promise<never> {
    let isHearing = false;
    for (;;) {
      const arrives = await this.#arrives(lost);
      lost.throwIfAborted();
      if (arrives === false && isHearing) throw new Error(DEAF);
      if (arrives === false) this.#listener.disconnected(new Error(DEAF));
      if (arrives && !isHearing) this.#listener.connected();
      isHearing ||= arrives === true;
      await pause(CHECK_EVERY_MS, lost);
      lost.throwIfAborted();
    }
  }

  /** Undefined where it could not be tried. */
  #arrives(lost: AbortSignal): Promise<boolean | undefined> {
    const { channel, notify } = this.#parts;
    const text = CHECK + randomUUID();
    return new Promise((resolve) => {
      let patience: NodeJS.Timeout | undefined;
      const end = (arrives?: boolean): void => {
        clearTimeout(patience);
        lost.removeEventListener('abort', isLost);
        this.#check = undefined;
        resolve(arrives);
      };
      const isLost = (): void => end();
      lost.addEventListener('abort', isLost);
      this.#check = { text, arrived: () => end(true) };
      notify(channel, text).then(
        () => (patience = setTimeout(() => end(false), CHECK_PATIENCE_MS).unref()),
        () => end(),
      );
    });
  }

  #hear(text: string): void {
    if (text === this.#check?.text) this.#check.arrived();
    else if (!text.startsWith(CHECK)) this.#listener.heard(text);
  }
}

/** Aborts when the connection breaks or is closed. */
function whenLost(client: ListeningClient): AbortSignal {
  const lost = new AbortController();
  client.on('error', (error) => lost.abort(error));
  client.on('end', () => lost.abort(new Error('the connection has ended')));
  return lost.signal;
}

/** Keeps no process alive. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
