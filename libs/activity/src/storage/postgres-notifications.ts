import { createHash } from 'node:crypto';
import { PostgresDatabase } from './postgres-database.js';
import type { Database } from './database.js';

/** What is used of pg's client that listens. */
interface OwnClient {
  connect(): Promise<unknown>;
  query(sql: string, values?: readonly unknown[]): Promise<unknown>;
  on(event: string, listener: (value: never) => void): unknown;
  end(): Promise<unknown>;
  unref?(): void;
  ref?(): void;
}

/** What is used of pg's pool: its class of client, and the options with which it makes them. */
interface ClientMaker {
  readonly Client: new (options: unknown) => OwnClient;
  readonly options: { readonly password?: unknown };
}

/** `LISTEN` and `NOTIFY` on the tracker's database. */
export interface PostgresNotifications {
  /** The same for all whose activities are in the same table, and no other's. */
  channel: string;
  /** A connection of its own, as those of the tracker's pool are made, not yet connected. */
  client(): OwnClient;
  /** Notifies by a connection of the pool. */
  notify(channel: string, text: string): Promise<unknown>;
}

/** Undefined for another database. */
export function postgresNotifications(database: Database): PostgresNotifications | undefined {
  if (!(database instanceof PostgresDatabase)) return undefined;
  const { dataSource, tables } = database;
  const pool = (dataSource.driver as unknown as { master: ClientMaker }).master;
  return {
    channel: `nestjs_activity_${createHash('sha256').update(tables.activities).digest('hex').slice(0, 16)}`,
    // The password is not among what is enumerated. One that sends without waiting for answers would not end without them.
    client: () => new pool.Client({ ...pool.options, password: pool.options.password, pipeline: false }),
    notify: (channel, text) => dataSource.query('SELECT pg_notify($1, $2)', [channel, text]),
  };
}
