import { LENGTHS } from './activity-entities.js';
import type { ActivityFilter } from './activity-store.js';
import { storableText } from './storable-text.js';

/** The alias of the table in every query of ours. */
export const ALIAS = 'activity';

/** The scope of what has none of its own: so many rows that no index is kept for it, where the database allows that. */
export const DEFAULT_SCOPE = 'default';

/**
 * What is filtered by, in the order in which one of several is followed: in front what usually leaves the fewest rows to
 * look at.
 */
const COLUMNS = {
  parent_id: { option: 'parentId', max: LENGTHS.parent_id },
  batch_id: { option: 'batchId', max: LENGTHS.batch_id },
  resource_id: { option: 'resourceId', max: LENGTHS.resource_id },
  actor_id: { option: 'actorId', max: LENGTHS.actor_id },
  scope: { option: 'scope', max: LENGTHS.scope },
  type: { option: 'type', max: LENGTHS.type },
  status: { option: 'status', max: 16 },
  resource_type: { option: 'resourceType', max: LENGTHS.resource_type },
} as const satisfies Record<string, { option: keyof ActivityFilter; max: number }>;

type FilterColumn = keyof typeof COLUMNS;
export type IndexedColumn = Exclude<FilterColumn, 'resource_type'>;

/** That a column has any of some values; null: that it has none. */
export interface Condition {
  column: FilterColumn;
  values: readonly string[] | null;
}

/** One whose rows an index has, newest first. */
export interface IndexedCondition extends Condition {
  column: IndexedColumn;
  values: readonly string[];
}

/**
 * The conditions of a filter, but for its times. Texts are made storable as those of a row are: so a value that was cut
 * is found by the whole of it, and none can break a statement.
 */
export function conditionsOf(filter: ActivityFilter): Condition[] {
  const conditions: Condition[] = [];
  for (const [column, { option, max }] of Object.entries(COLUMNS)) {
    const given = filter[option];
    if (given === undefined) continue;
    const values = given === null ? null : [...new Set([given].flat().map((value) => storableText(value, max)))];
    conditions.push({ column: column as FilterColumn, values });
  }
  return conditions;
}

export function isIndexed(condition: Condition): condition is IndexedCondition {
  const { column, values } = condition;
  return values !== null && column !== 'resource_type' && !(column === 'scope' && values.includes(DEFAULT_SCOPE));
}

/** A condition that rows have to fulfil besides the one whose index is read: it is hidden from all other indexes. */
export function conditionSql({ column, values }: Condition): {
  sql: string;
  parameters: Record<string, string | readonly string[]>;
} {
  if (values === null) return { sql: `${ALIAS}.${column} IS NULL`, parameters: {} };
  const hidden = `SUBSTR(${ALIAS}.${column}, 1)`;
  return values.length === 1
    ? { sql: `${hidden} = :${column}`, parameters: { [column]: values[0]! } }
    : { sql: `${hidden} IN (:...${column})`, parameters: { [column]: values } };
}
