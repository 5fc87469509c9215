import type { WhereExpressionBuilder } from 'typeorm';
import { LENGTHS } from './activity-entities.js';
import { firstIdAt } from './activity-id.js';
import type { ActivityFilter } from './activity-store.js';
import { storableText } from './storable-text.js';

/** The alias of the table in every query of ours. */
export const ALIAS = 'activity';

/**
 * Adds the conditions of a filter. Its texts are made storable as those of a row are: so a value that was cut is found
 * by the whole of it, and none can break a statement.
 */
export function applyFilter(query: WhereExpressionBuilder, filter: ActivityFilter): void {
  anyOf(query, 'status', filter.status, 16);
  anyOf(query, 'type', filter.type, LENGTHS.type);
  anyOf(query, 'scope', filter.scope, LENGTHS.scope);
  equals(query, 'resource_type', filter.resourceType, LENGTHS.resource_type);
  equals(query, 'resource_id', filter.resourceId, LENGTHS.resource_id);
  equals(query, 'actor_id', filter.actorId, LENGTHS.actor_id);
  equals(query, 'batch_id', filter.batchId, LENGTHS.batch_id);
  equals(query, 'parent_id', filter.parentId, LENGTHS.parent_id);
  // By id, which has the time of creation in it and is in every index.
  if (filter.createdFrom) {
    query.andWhere(`${ALIAS}.id >= :createdFrom`, { createdFrom: firstIdAt(filter.createdFrom.getTime()) });
  }
  if (filter.createdBefore) {
    query.andWhere(`${ALIAS}.id < :createdBefore`, { createdBefore: firstIdAt(filter.createdBefore.getTime()) });
  }
}

function anyOf(
  query: WhereExpressionBuilder,
  column: string,
  values: string | readonly string[] | undefined,
  max: number,
): void {
  if (values === undefined) return;
  const list = (typeof values === 'string' ? [values] : values).map((value) => storableText(value, max));
  if (list.length === 0) query.andWhere('1 = 0');
  else if (list.length === 1) query.andWhere(`${ALIAS}.${column} = :${column}`, { [column]: list[0] });
  else query.andWhere(`${ALIAS}.${column} IN (:...${column})`, { [column]: list });
}

function equals(query: WhereExpressionBuilder, column: string, value: string | null | undefined, max: number): void {
  if (value === undefined) return;
  if (value === null) query.andWhere(`${ALIAS}.${column} IS NULL`);
  else query.andWhere(`${ALIAS}.${column} = :${column}`, { [column]: storableText(value, max) });
}
