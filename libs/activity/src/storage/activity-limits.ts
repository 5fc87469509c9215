import type { DataSource } from 'typeorm';
import type { ActivityStatus } from '../model/statuses.js';
import type { ActivityEntities } from './activity-entities.js';
import type { SlotGrant, SlotLook } from './activity-slots.js';
import type { Database } from './database.js';
import { limitHash } from './limit-hash.js';
import { allOf, ask } from './plan-questions.js';
import { slotPlan } from './slot-plan.js';
import { SlotSql } from './slot-sql.js';
import { SlotWork } from './slot-work.js';
import { toTextOrNull } from './sql-value.js';
import type { Plan } from './write-plan.js';

/** Ids in one question: SQLite and MariaDB take so many values at once. */
const AT_ONCE = 1_000;

/** How each of these stands at its limit; of one that has no place there is nothing. */
export async function lookAtSlots(
  dataSource: DataSource,
  entities: ActivityEntities,
  ids: readonly string[],
): Promise<SlotLook[]> {
  const looks: SlotLook[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const rows = await dataSource
      .createQueryBuilder(entities.slot, 's')
      .leftJoin(entities.activity.options.name, 'a', 'a.id = s.activity_id')
      .select(['s.activity_id AS activity_id', 's.held_at AS held_at', 'a.status AS status'])
      .where('s.activity_id IN (:...ids)', { ids: ids.slice(from, from + AT_ONCE) })
      .getRawMany<{ activity_id: string; held_at: unknown; status: unknown }>();
    for (const { activity_id: activityId, held_at: heldAt, status } of rows) {
      looks.push({ activityId, isHeld: heldAt !== null, status: toTextOrNull(status) as ActivityStatus | null });
    }
  }
  return looks;
}

/** How many run at once from now on, whatever calls say; null: what they say. Hands on what has become free. */
export function setLimit(database: Database, key: string, max: number | null): Promise<SlotGrant[]> {
  const work = new SlotWork();
  work.of(limitHash(key), key).setMax = max;
  return doWork(database, work);
}

/** Hands on what is free though somebody waits for it: a row may have been deleted by hand. */
export function handOn(database: Database, keys: readonly string[]): Promise<SlotGrant[]> {
  const work = new SlotWork();
  for (const key of keys) work.of(limitHash(key));
  return doWork(database, work);
}

/** Takes all slots and places from a process that is taken to be dead. */
export async function freeSlotsOf(database: Database, ownerId: string): Promise<SlotGrant[]> {
  const { dataSource, entities } = database;
  const rows = await dataSource
    .createQueryBuilder(entities.slot, 's')
    .select(['s.activity_id AS id', 's.key_hash AS hash'])
    .where('s.owner_id = :ownerId', { ownerId })
    .getRawMany<{ id: string; hash: string }>();
  const work = new SlotWork();
  for (const { id, hash } of rows) work.of(hash).leaves.push(id);
  return doWork(database, work);
}

async function doWork(database: Database, work: SlotWork): Promise<SlotGrant[]> {
  const { keys } = work;
  return keys.length === 0 ? [] : database.transact(slotsOnly(new SlotSql(database), work));
}

function* slotsOnly(sql: SlotSql, { keys }: SlotWork): Plan<SlotGrant[]> {
  const { grants, steps } = yield* slotPlan(sql, keys, false);
  yield* ask(allOf(steps));
  return grants;
}
