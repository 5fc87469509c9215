import { hostname } from 'node:os';
import { ACTIVE_STATUSES } from '../model/statuses.js';
import { LENGTHS } from './activity-entities.js';
import type { LeaseStanding } from './activity-store.js';
import type { Database } from './database.js';
import { toNumber, type SqlValue } from './sql-value.js';
import { storableText } from './storable-text.js';
import { statusList } from './tables.js';

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
  #sweeps = 0;
  #renewal: Promise<LeaseStanding> | undefined;
  #isReleased = false;

  constructor(id: string, leaseMs: number) {
    this.#id = id;
    this.#leaseMs = leaseMs;
  }

  /** Writes the row, or makes it its own again. */
  async register(database: Database): Promise<void> {
    const host = storableText(hostname(), LENGTHS.host);
    const facts = { host, pid: process.pid, label: `${host}:${process.pid}` };
    const isThere = await this.#extend(database, { host, pid: facts.pid, label: facts.label });
    if (!isThere) await this.#insert(database, facts);
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
    const { owners, activities } = database.tables;
    const left = `SELECT 1 FROM ${activities} WHERE status IN (${statusList(ACTIVE_STATUSES)}) AND owner_id = ?`;
    await database.change(`DELETE FROM ${owners} WHERE id = ? AND NOT EXISTS (${left})`, [this.#id, this.#id]);
  }

  async #renew(database: Database): Promise<LeaseStanding> {
    if (await this.#extend(database, {}, this.#sweeps)) return 'kept';
    await this.register(database);
    return 'taken';
  }

  /** @returns whether the row was there, and (where that is asked for) nobody had taken from it. */
  async #extend(database: Database, facts: Record<string, SqlValue>, sweeps?: number): Promise<boolean> {
    const { now, tables } = database;
    const gapMs = Math.round(this.#leaseMs / 2);
    // In this order: MariaDB reads the new value of a column that stands before.
    const set = [
      `steady_since = CASE WHEN renewed_at > ${now} OR ${now} - renewed_at > ? THEN ${now} ELSE steady_since END`,
      `expires_at = ${now} + ?`,
      `renewed_at = ${now}`,
      ...Object.keys(facts).map((column) => `${column} = ?`),
    ];
    const untaken = sweeps === undefined ? '' : ' AND sweeps = ?';
    const changed = await database.change(`UPDATE ${tables.owners} SET ${set.join(', ')} WHERE id = ?${untaken}`, [
      gapMs,
      this.#leaseMs,
      ...Object.values(facts),
      this.#id,
      ...(sweeps === undefined ? [] : [sweeps]),
    ]);
    return changed === 1;
  }

  async #insert({ dataSource, entities, now }: Database, facts: Record<string, SqlValue>): Promise<void> {
    const uptimeMs = Math.round(process.uptime() * 1_000);
    const at = (offset: number) => () => `${now} + (${offset})`;
    await dataSource
      .createQueryBuilder()
      .insert()
      .into(entities.owner)
      .values({
        id: this.#id,
        ...facts,
        started_at: at(-uptimeMs),
        renewed_at: at(0),
        expires_at: at(this.#leaseMs),
        steady_since: at(0),
      })
      .orIgnore()
      .execute();
  }
}
