import type { DataSource } from 'typeorm';
import { isFinalStatus, type ActivityStatus } from '../model/statuses.js';
import type { ActivityEntities } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import type { ForeignChange, Ownership } from './activity-store.js';
import { toNumber } from './sql-value.js';
import { FOREIGN_CHANGE_COLUMNS, foreignChangeOf } from './stored-activity.js';

/** Ids in one question: SQLite and MariaDB take so many values at once. */
const AT_ONCE = 1_000;

const COLUMNS = [...FOREIGN_CHANGE_COLUMNS, 'owner_id', 'fence'].map((column) => `${ALIAS}.${column}`);

/** Of these activities those whose row has ended, or names another owner or fence. */
export async function lostAmong(
  dataSource: DataSource,
  entities: ActivityEntities,
  owned: readonly (Ownership & { id: string })[],
): Promise<ForeignChange[]> {
  const lost: ForeignChange[] = [];
  for (let from = 0; from < owned.length; from += AT_ONCE) {
    const part = new Map(owned.slice(from, from + AT_ONCE).map((one) => [one.id, one]));
    const rows = await dataSource
      .createQueryBuilder(entities.activity, ALIAS)
      .select(COLUMNS)
      .where(`${ALIAS}.id IN (:...ids)`, { ids: [...part.keys()] })
      .getMany();
    for (const row of rows) {
      const id = row.id as string;
      const status = row.status as ActivityStatus;
      const own = part.get(id);
      const isOwn = own?.ownerId === row.owner_id && own?.fence === toNumber(row.fence);
      if (!isOwn || isFinalStatus(status)) lost.push(foreignChangeOf(row));
    }
  }
  return lost;
}
