import type { DataSource } from 'typeorm';
import { FINAL_STATUSES } from '../model/statuses.js';
import type { ActivityEntities } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import type { ForeignChange } from './activity-store.js';
import { FOREIGN_CHANGE_COLUMNS, foreignChangeOf, type ForeignChangeRow } from './stored-activity.js';

export interface ForeignChangesOf {
  ownerId: string;
  /** In their stored form. */
  ids: readonly string[];
}

/** What others have done to the activities of one owner, in one statement. */
export async function readForeignChanges(
  dataSource: DataSource,
  entities: ActivityEntities,
  of: ForeignChangesOf,
): Promise<ForeignChange[]> {
  return (await foreignChangesQuery(dataSource, entities, of).getRawMany<ForeignChangeRow>()).map(foreignChangeOf);
}

/**
 * Two reads, each by an index of its own: of all that is being cancelled at this moment, which is never much, what is
 * ours; and the named ones, by their key. Those that have ended cannot be asked for by owner: that would be all its history.
 */
export function foreignChangesQuery(
  dataSource: DataSource,
  entities: ActivityEntities,
  { ownerId, ids }: ForeignChangesOf,
) {
  const rows = () =>
    dataSource
      .createQueryBuilder(entities.activity, ALIAS)
      .select(FOREIGN_CHANGE_COLUMNS.map((column) => `${ALIAS}.${column} AS ${column}`));
  const asked = rows()
    .where(`${ALIAS}.status = 'cancelling' AND ${ALIAS}.owner_id = :ownerId`, { ownerId })
    .andWhere(`${ALIAS}.cancel_requested_at IS NOT NULL`);
  const ended = rows()
    .where(`${ALIAS}.id IN (:...ids)`, { ids })
    // `IS TRUE` is no condition for an index: each is read by its key, once.
    .andWhere(`(${ALIAS}.status IN (:...final)) IS TRUE`, { final: FINAL_STATUSES });
  const parts = ids.length > 0 ? [asked, ended] : [asked];
  const query = dataSource
    .createQueryBuilder()
    .select('*')
    .from(`(${parts.map((part) => part.getQuery()).join(' UNION ALL ')})`, 'changed');
  for (const part of parts) query.setParameters(part.getParameters());
  return query;
}
