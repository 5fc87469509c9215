import type { SelectQueryBuilder } from 'typeorm';
import type { ActivityStatus } from '../model/statuses.js';
import type { ActivityRow } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';

/**
 * Adds that the status is one of several, so that each is read in the order of its index and no further than a page:
 * with `status IN (…)` alone a database reads all rows of these statuses, and sorts them.
 * @param query  everything else: other conditions, order and limit.
 */
export function addStatuses(query: SelectQueryBuilder<ActivityRow>, statuses: readonly ActivityStatus[]): void {
  const parts = statuses.map((status, place) => {
    const part = query
      .clone()
      .select(`${ALIAS}.id`, 'id')
      .andWhere(`${ALIAS}.status = :status${place}`, { [`status${place}`]: status });
    query.setParameters(part.getParameters());
    return `SELECT * FROM (${part.getQuery()}) part${place}`;
  });
  // One statement, so that a row which changes its status meanwhile is seen once.
  query.andWhere(`${ALIAS}.id IN (SELECT id FROM (${parts.join(' UNION ALL ')}) merged)`);
}
