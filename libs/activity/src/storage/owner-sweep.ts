import { ACTIVE_STATUSES, type ActiveStatus } from '../model/statuses.js';
import { ALIAS } from './activity-filter.js';
import { storedId } from './activity-id.js';
import type { SweepOptions } from './activity-store.js';
import { claimChore } from './claim-chore.js';
import type { Database } from './database.js';
import { interruptPlan } from './interrupt-plan.js';
import { deleteOwner, insertOwner, readOwners, type KnownOwner } from './owner-rows.js';
import { silenceAmong, SWEEP_CLAIM_MS, type Asking } from './silent-owners.js';
import { statusList } from './tables.js';

/** Activities of one transaction: enough to share its cost, few enough to hold no lock for long. */
const STEP = 500;
const UNRECORDED =
  'It was interrupted: its work has ended, but how could not be recorded. See the log of the application.';
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** Of the process that looks. */
/**
 * Ends what processes have left behind that are taken to be dead. Any number of processes may do so at once: a claim on
 * the row of the dead one spares them the work, and each step is a compare-and-set.
 * @returns milliseconds until the next look is worth it.
 */
export async function sweepOwners(database: Database, asking: Asking, options: SweepOptions): Promise<number> {
  const known = await readOwners(database);
  await giveRowsToTheUnknown(database, known.owners, asking);
  const { silent, nextLookMs } = silenceAmong(known, asking);
  for (const owner of silent) {
    if (options.signal?.aborted) break;
    await endWhatIsLeft(database, owner, options);
  }
  return nextLookMs;
}

/** From now on they have a lease to speak, as if they had just been heard. */
async function giveRowsToTheUnknown(
  database: Database,
  known: readonly KnownOwner[],
  { leaseMs }: Asking,
): Promise<void> {
  if (!(await claimChore(database, { name: 'unknown-owners', everyMs: leaseMs }))) return;
  const { dataSource, entities } = database;
  const active = dataSource
    .createQueryBuilder(entities.activity, ALIAS)
    .select(`DISTINCT ${ALIAS}.owner_id`, 'id')
    .where(`${ALIAS}.status IN (${statusList(ACTIVE_STATUSES)})`);
  if (known.length > 0) active.andWhere(`${ALIAS}.owner_id NOT IN (:...known)`, { known: known.map(({ id }) => id) });
  for (const { id: given } of await active.getRawMany<{ id: unknown }>()) {
    const id = storedId(given);
    if (id === null) continue;
    await insertOwner(database, { id, host: null, pid: null, ageMs: 0, leaseMs });
  }
}

async function endWhatIsLeft(database: Database, owner: KnownOwner, options: SweepOptions): Promise<void> {
  if (!(await claim(database, owner))) return;
  // In the order in which an activity may change it: none is missed that goes on from one to the next meanwhile.
  for (const status of ACTIVE_STATUSES) {
    if (!(await endThoseThatAre(status, database, { ...options, owner }))) return;
  }
  await deleteOwner(database, owner);
}

/** @returns false when the process has spoken, or the sweep is to stop. */
async function endThoseThatAre(
  status: ActiveStatus,
  database: Database,
  { owner, onInterrupted, signal }: SweepOptions & { owner: KnownOwner },
): Promise<boolean> {
  const text = lastWord(owner);
  let ids = await leftBehind(database, owner, { status, after: FIRST_ID });
  while (ids.length > 0) {
    if (signal?.aborted) return false;
    // One that was stopped in the middle of a transaction holds its rows: they have their turn when it is gone.
    const locked = await database.lockedAmong(ids).catch(() => new Set<string>());
    const free = ids.filter((id) => !locked.has(id));
    if (free.length > 0) {
      const ended = await database.transact(interruptPlan(database, { owner, ids: free, text }));
      if (ended === null) return false;
      if (ended.length > 0) onInterrupted({ owner, ids: ended });
    }
    ids = await leftBehind(database, owner, { status, after: ids.at(-1)! });
  }
  return true;
}

/**
 * Ends activities of this process that have ended without the database having taken it.
 * @returns which were still active.
 */
export async function interruptUnrecorded(
  database: Database,
  ownerId: string,
  ids: readonly string[],
): Promise<string[]> {
  const ended: string[] = [];
  for (let from = 0; from < ids.length; from += STEP) {
    const step = { owner: { id: ownerId }, ids: ids.slice(from, from + STEP), text: UNRECORDED };
    ended.push(...((await database.transact(interruptPlan(database, step))) ?? []));
  }
  return ended;
}

/** @returns whether this process is the one to do it now. */
async function claim(database: Database, { id, renewedAtMs }: KnownOwner): Promise<boolean> {
  const { tables, now } = database;
  const sql =
    `UPDATE ${tables.owners} SET swept_at = ${now}, sweeps = sweeps + 1 WHERE id = ? AND renewed_at = ? ` +
    `AND (swept_at IS NULL OR swept_at <= ${now} - ${SWEEP_CLAIM_MS})`;
  return (await database.change(sql, [id, renewedAtMs])) === 1;
}

async function leftBehind(
  { dataSource, entities }: Database,
  { id }: KnownOwner,
  { status, after }: { status: ActiveStatus; after: string },
): Promise<string[]> {
  const rows = await dataSource
    .createQueryBuilder(entities.activity, ALIAS)
    .select(`${ALIAS}.id`, 'id')
    .where(`${ALIAS}.status = :status AND ${ALIAS}.owner_id = :id AND ${ALIAS}.id > :after`, { status, id, after })
    .orderBy(`${ALIAS}.id`, 'ASC')
    .limit(STEP)
    .getRawMany<{ id: string }>();
  return rows.map((row) => row.id);
}

function lastWord({ host, pid, startedAt, renewedAt, leaseMs }: KnownOwner): string {
  if (host === null)
    return 'It was interrupted: nothing is known of the process that ran it. Whether it had come to its end is not known.';
  return (
    `It was interrupted: the process that ran it (${host}:${pid}, started ${startedAt.toISOString()}) was last heard of at ` +
    `${renewedAt.toISOString()}, longer ago than its lease of ${leaseMs / 1_000} s. Whether it had come to its end is not known.`
  );
}
