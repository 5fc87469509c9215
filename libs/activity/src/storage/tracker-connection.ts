import type { DataSource } from 'typeorm';
import type { ActivitySettings } from '../config/activity-module.options.js';
import { ActivityError } from '../model/activity-error.js';
import { ActivityStoreError } from '../model/errors.js';
import { errorText } from '../model/stored-error.js';
import { createDatabase } from './create-database.js';
import type { Database } from './database.js';
import { isMissingTable } from './database-errors.js';
import { ensureSchema } from './migrate.js';
import type { OwnerLease } from './owner-lease.js';
import { endsWithin, whileTransient } from './retry.js';

/** How long a start of the application waits for a database that is busy or away. */
const OPEN_PATIENCE_MS = 30_000;
/** How long a read or a single statement tries again. */
const STATEMENT_PATIENCE_MS = 10_000;
const CLOSE_PATIENCE_MS = 1_000;
const MAX_REMAKES = 3;

export interface StoreLogger {
  warn(text: string): void;
  error(text: string): void;
  debug(text: string): void;
}

/** The tracker's own connection: opened once, waited for by whoever comes before, with its schema kept there. */
export class TrackerConnection {
  readonly #settings: ActivitySettings;
  readonly #appDataSource: () => DataSource | undefined;
  readonly #logger: StoreLogger;
  readonly #lease: OwnerLease;
  readonly #closing = new AbortController();
  readonly #opened: Promise<Database>;
  #settleOpened!: { resolve: (database: Database) => void; reject: (error: unknown) => void };
  #opening: Promise<void> | undefined;
  #remaking: Promise<void> | undefined;

  constructor(
    settings: ActivitySettings,
    lease: OwnerLease,
    { appDataSource, logger }: { appDataSource: () => DataSource | undefined; logger: StoreLogger },
  ) {
    this.#settings = settings;
    this.#lease = lease;
    this.#appDataSource = appDataSource;
    this.#logger = logger;
    this.#opened = new Promise((resolve, reject) => (this.#settleOpened = { resolve, reject }));
    // Told by `open()`; here it is only waited for.
    this.#opened.catch(() => undefined);
  }

  /** Connects, brings the schema up (or checks it) and writes the owner's row. Repeated calls share one promise. */
  open(): Promise<void> {
    this.#opening ??= this.#open().then(this.#settleOpened.resolve, (error: unknown) => {
      this.#settleOpened.reject(error);
      throw error;
    });
    return this.#opening;
  }

  /** The database, once it is open. */
  whenOpen(): Promise<Database> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    return this.#opened;
  }

  /**
   * Does something that may be done again, while the database is busy, away, or without our tables.
   * @param options.patienceMs  how long it tries again. Default 10 s.
   * @throws {ActivityStoreError} when it stays so, or refuses.
   */
  async attempt<T>(
    work: (database: Database) => Promise<T>,
    { patienceMs = STATEMENT_PATIENCE_MS }: { patienceMs?: number } = {},
  ): Promise<T> {
    const database = await this.whenOpen();
    for (let remakes = 0; ;) {
      try {
        return await whileTransient(() => work(database), { patienceMs, signal: this.#closing.signal });
      } catch (error) {
        if (ActivityError.is(error)) throw error;
        if (isMissingTable(error) && ++remakes <= MAX_REMAKES && (await this.remakeTables())) continue;
        throw new ActivityStoreError(`The database did not do what the activity tracker asked: ${errorText(error)}`, {
          cause: error,
        });
      }
    }
  }

  /** Makes tables that an app has dropped (its `synchronize(true)` drops every table) again, where that is allowed. */
  async remakeTables(): Promise<boolean> {
    if (this.#settings.migrations !== 'run') return false;
    this.#remaking ??= this.#remake().finally(() => (this.#remaking = undefined));
    await this.#remaking;
    return true;
  }

  /** Gives the lease back and disconnects; a database that does not answer is not waited for. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#settleOpened.reject(closed());
    if (!this.#opening) return;
    // What is still being opened is closed by who opens it.
    if (!(await endsWithin(this.#opening, CLOSE_PATIENCE_MS))) return;
    const database = await this.#opened.catch(() => undefined);
    if (!database) return;
    const release = whileTransient(() => this.#lease.release(database), { patienceMs: CLOSE_PATIENCE_MS });
    const isReleased = await endsWithin(release, CLOSE_PATIENCE_MS);
    if (!isReleased) this.#logger.debug("The database does not answer: the owner's row is left behind.");
    await endsWithin(database.close(), CLOSE_PATIENCE_MS);
  }

  async #open(): Promise<Database> {
    const database = createDatabase(this.#options(), this.#settings.tablePrefix, (error) =>
      this.#logger.debug(`An idle connection of the activity tracker broke: ${errorText(error)}`),
    );
    const retry = { patienceMs: OPEN_PATIENCE_MS, signal: this.#closing.signal };
    try {
      await whileTransient(() => database.open(), retry);
      await whileTransient(() => ensureSchema(database, this.#settings.migrations), retry);
      await whileTransient(() => this.#lease.register(database), retry);
      if (this.#closing.signal.aborted) throw closed();
      return database;
    } catch (error) {
      await database.close().catch(() => undefined);
      if (ActivityError.is(error)) throw error;
      throw new ActivityStoreError(`The activity store could not be opened: ${errorText(error)}`, { cause: error });
    }
  }

  #options() {
    const { connection, dataSource: name } = this.#settings;
    const options = connection ?? this.#appDataSource()?.options;
    if (options) return options;
    const which =
      name === undefined
        ? 'the application has no unnamed TypeORM data source'
        : `no TypeORM data source is named "${name}"`;
    throw new ActivityStoreError(
      `Activities have no database: ${which}. Import \`TypeOrmModule.forRoot(…)\`, name the data source to use ` +
        'with the option `dataSource`, or give one of its own with the option `connection`.',
    );
  }

  async #remake(): Promise<void> {
    const database = await this.whenOpen();
    const retry = { patienceMs: Infinity, signal: this.#closing.signal };
    const made = await whileTransient(() => ensureSchema(database, 'run'), retry);
    if (made.length === 0) return;
    await whileTransient(() => this.#lease.register(database), retry);
    this.#logger.warn(
      'The activity tables were gone, with all that was in them, and have been made again. An app that drops its ' +
        'schema (`synchronize(true)`, `dropSchema`) drops them too: give the tracker a `connection` of its own to keep them.',
    );
  }
}

function closed(): ActivityStoreError {
  return new ActivityStoreError('The activity store is closed.');
}
