import type { ActivityOwner } from '../model/owner.js';
import { ACTIVE_STATUSES } from '../model/statuses.js';
import type { OwnerRow } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import type { Database } from './database.js';
import { toNumber, toNumberOrNull, toTextOrNull } from './sql-value.js';
import { statusList } from './tables.js';

/** A process with what the sweep has to know of it; times in milliseconds of the database's clock. */
export interface KnownOwner extends ActivityOwner {
  renewedAtMs: number;
  leaseMs: number;
  steadySinceMs: number;
  /** When somebody last began to end its activities, or went on with it. */
  sweptAtMs: number | null;
}

/** All processes that have a row, and what time it was in the database then. */
export async function readOwners({
  dataSource,
  entities,
  now,
}: Database): Promise<{ now: number; owners: KnownOwner[] }> {
  const rows = await dataSource
    .createQueryBuilder(entities.owner, 'o')
    .select('o.*')
    .addSelect(now, 'now')
    .orderBy('o.id')
    .getRawMany<OwnerRow & { now: unknown }>();
  return { now: toNumber(rows[0]?.now ?? 0), owners: rows.map(ownerOf) };
}

/** Writes the row of a process that says its first word now, if there is none. */
export async function insertOwner(
  { dataSource, entities, now }: Database,
  { id, host, pid, ageMs, leaseMs }: Pick<ActivityOwner, 'id' | 'host' | 'pid'> & { ageMs: number; leaseMs: number },
): Promise<void> {
  await dataSource
    .createQueryBuilder()
    .insert()
    .into(entities.owner)
    .values({
      id,
      label: ownerLabel(host, pid),
      host: host ?? undefined,
      pid: pid ?? undefined,
      started_at: () => `${now} - ${ageMs}`,
      renewed_at: () => now,
      expires_at: () => `${now} + ${leaseMs}`,
      steady_since: () => now,
      // Any number: a row that was written in the place of an old one is not mistaken for it.
      sweeps: Math.floor(Math.random() * 2 ** 30),
    })
    .orIgnore()
    .execute();
}

/**
 * Deletes the row of a process, unless it has left activities behind: by its row others know whose they are.
 * @param options.renewedAtMs  its last word; where it has spoken since, its row stays. Left out: whatever it has said.
 */
export async function deleteOwner(
  database: Database,
  { id, renewedAtMs }: { id: string; renewedAtMs?: number },
): Promise<void> {
  const { dataSource, entities, tables } = database;
  // Asked before, since MariaDB would lock all that the condition of a DELETE looks at.
  const left = await dataSource
    .createQueryBuilder(entities.activity, ALIAS)
    .select(`${ALIAS}.id`, 'id')
    .where(`${ALIAS}.status IN (${statusList(ACTIVE_STATUSES)}) AND ${ALIAS}.owner_id = :id`, { id })
    .limit(1)
    .getRawOne<{ id: string }>();
  if (left) return;
  const isSilent = renewedAtMs === undefined ? '' : ' AND renewed_at = ?';
  await database.change(`DELETE FROM ${tables.owners} WHERE id = ?${isSilent}`, [
    id,
    ...(renewedAtMs === undefined ? [] : [renewedAtMs]),
  ]);
}

export function ownerLabel(host: string | null, pid: number | null): string {
  return host === null ? 'unknown' : `${host}:${pid}`;
}

function ownerOf(row: OwnerRow): KnownOwner {
  const renewedAtMs = toNumber(row.renewed_at);
  const expiresAtMs = toNumber(row.expires_at);
  return {
    id: row.id as string,
    host: toTextOrNull(row.host),
    pid: toNumberOrNull(row.pid),
    startedAt: new Date(toNumber(row.started_at)),
    renewedAt: new Date(renewedAtMs),
    expiresAt: new Date(expiresAtMs),
    renewedAtMs,
    leaseMs: Math.max(0, expiresAtMs - renewedAtMs),
    steadySinceMs: toNumber(row.steady_since),
    sweptAtMs: toNumberOrNull(row.swept_at),
  };
}
