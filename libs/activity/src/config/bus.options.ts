import * as v from 'valibot';

/**
 * Carries short texts between the processes that share a database. It need not keep them: what cannot be delivered now may
 * be lost, since the database has the facts, and polls find them. Nothing here throws or rejects.
 */
export interface ActivityBusCarrier {
  /** How it is called in the log, e.g. `Redis`. */
  readonly name: string;
  /** Begins to connect, and does so again whenever the connection is lost, until it is closed. */
  open(listener: ActivityBusListener): void;
  /**
   * To all processes; this one may hear it too. At most 8,000 bytes, one at a time.
   * @returns when the next one may be sent.
   */
  send(text: string): Promise<void>;
  /** Resolves when nothing is heard or sent any more. */
  close(): Promise<void>;
}

/** Told by a carrier what it hears, and whether it hears. */
export interface ActivityBusListener {
  heard(text: string): void;
  /** From now on all is heard; what was sent before may have been missed. */
  connected(): void;
  /** Nothing is heard until it is connected again. May be told for each attempt. */
  disconnected(why: unknown): void;
}

/** `postgres`: `LISTEN` and `NOTIFY`. `off`: none. A function: makes a carrier, for each application that starts. */
export type BusOption = 'postgres' | 'off' | (() => ActivityBusCarrier);

export const bus = v.custom<BusOption>(
  (value) => value === 'postgres' || value === 'off' || typeof value === 'function',
  "must be 'postgres', 'off' or a function that makes a carrier, such as redisBus()",
);
