import { hostname } from 'node:os';
import { LENGTHS } from './activity-entities.js';
import type { LeaseStanding } from './activity-store.js';
import type { Database } from './database.js';
import { deleteOwner, insertOwner, ownerLabel } from './owner-rows.js';
import { toNumber, type SqlValue } from './sql-value.js';
import { STEADY_GAP } from './silent-owners.js';
import { storableText } from './storable-text.js';

/**
 * The row of this process: who it is, and until when it is believed without a word from it. All of its times are written
 * and judged by the database's clock, so that no process needs a right one.
 * `sweeps` counts how often others have taken activities from it. A renewal is a compare-and-set on that count: a process
 * that was silent for too long goes on where nobody has minded, and learns with its first word where somebody has.
 * `steady_since` is since when it has renewed without a gap of half a lease: who has not been so for a lease takes nobody
 * for dead, since it may have been the database that was away.
 * @see docs/decisions/0018-a-dead-process-is-one-that-others-could-have-heard.md
 */
export class OwnerLease {
  readonly #id: string;
  readonly #leaseMs: number;
  readonly #gapMs: number;
  #sweeps = 0;
  /** When the last statement that renewed it was sent, by a clock that nobody sets. */
  #renewedAt = -Infinity;
  #renewal: Promise<LeaseStanding> | undefined;
  #isReleased = false;

  constructor(id: string, leaseMs: number) {
    this.#id = id;
    this.#leaseMs = leaseMs;
    this.#gapMs = Math.round(leaseMs * STEADY_GAP);
  }

  /** Whether it has been renewed of late, as far as this process knows. */
  get isFresh(): boolean {
    return performance.now() - this.#renewedAt <= this.#gapMs;
  }

  /** Writes the row, or makes it its own again. */
  async register(database: Database): Promise<void> {
    const host = storableText(hostname(), LENGTHS.host);
    const { pid } = process;
    const isThere = await this.#extend(database, { label: ownerLabel(host, pid), host, pid });
    if (!isThere) {
      this.#renewedAt = performance.now();
      const ageMs = Math.round(process.uptime() * 1_000);
      await insertOwner(database, { id: this.#id, host, pid, ageMs, leaseMs: this.#leaseMs });
    }
    const { dataSource, entities } = database;
    const row = await dataSource.createQueryBuilder(entities.owner, 'o').where('o.id = :id', { id: this.#id }).getOne();
    this.#sweeps = toNumber(row?.sweeps ?? 0);
  }

  /**
   * Extends the lease, by one statement where nothing has happened. A call that comes while one is under way shares it.
   * @returns `taken` when others may have ended activities of this process; the row is its own again then.
   */
  renew(database: Database): Promise<LeaseStanding> {
    if (this.#isReleased) return Promise.resolve('kept');
    this.#renewal ??= this.#renew(database).finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  /** Deletes the row; not where activities are left behind, which others then know whose they were. Nothing is renewed any more. */
  async release(database: Database): Promise<void> {
    this.#isReleased = true;
    await this.#renewal?.catch(() => undefined);
    await deleteOwner(database, { id: this.#id });
  }

  async #renew(database: Database): Promise<LeaseStanding> {
    if (await this.#extend(database, {}, this.#sweeps)) return 'kept';
    await this.register(database);
    return 'taken';
  }

  /** @returns whether the row was there, and (where that is asked for) nobody had taken from it. */
  async #extend(database: Database, facts: Record<string, SqlValue>, sweeps?: number): Promise<boolean> {
    const { now, tables } = database;
    const sentAt = performance.now();
    // In this order: MariaDB reads the new value of a column that stands before.
    const set = [
      `steady_since = CASE WHEN renewed_at > ${now} OR ${now} - renewed_at > ? THEN ${now} ELSE steady_since END`,
      `expires_at = ${now} + ?`,
      `renewed_at = ${now}`,
      ...Object.keys(facts).map((column) => `${column} = ?`),
    ];
    const untaken = sweeps === undefined ? '' : ' AND sweeps = ?';
    const changed = await database.change(`UPDATE ${tables.owners} SET ${set.join(', ')} WHERE id = ?${untaken}`, [
      // An outage that the database's clock does not show, since it was set back meanwhile, is a gap too.
      this.isFresh ? this.#gapMs : -1,
      this.#leaseMs,
      ...Object.values(facts),
      this.#id,
      ...(sweeps === undefined ? [] : [sweeps]),
    ]);
    if (changed === 1) this.#renewedAt = sentAt;
    return changed === 1;
  }
}
