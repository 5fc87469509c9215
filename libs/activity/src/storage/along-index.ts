import type { SelectQueryBuilder } from 'typeorm';
import type { ActivityRow } from './activity-entities.js';
import { ALIAS, DEFAULT_SCOPE, type IndexedColumn } from './activity-filter.js';

/**
 * Columns whose index ends with the id: what comes after `…_by_` in its name, and which rows it has, where it leaves some
 * out. A query says so again: not every database finds out by itself that the index may be used.
 */
const INDEXES = {
  parent_id: { name: 'parent', only: 'IS NOT NULL' },
  batch_id: { name: 'batch', only: 'IS NOT NULL' },
  resource_id: { name: 'resource', only: 'IS NOT NULL' },
  actor_id: { name: 'actor', only: 'IS NOT NULL' },
  scope: { name: 'scope', only: `<> '${DEFAULT_SCOPE}'` },
  type: { name: 'type', only: undefined },
  status: { name: 'status', only: undefined },
} as const satisfies Record<IndexedColumn, { name: string; only: string | undefined }>;

/** One value of an indexed column; undefined: the key of the table, which has all rows. */
export interface IndexValue {
  column: IndexedColumn;
  value: string;
}

/** Ids between which rows are read. */
export interface IdRange {
  below?: string;
  /** This one is in. */
  from?: string;
}

/**
 * Reads along one index, newest first, and along no other. Left to guess, a database may take the key of the table, and
 * then looks at a million rows where the value is among the oldest only: so PostgreSQL is asked for the order that no
 * other index has, MariaDB is told the name, and SQLite goes by the value.
 * @param options.parameter  a name that is free in the query.
 */
export function alongIndex(
  query: SelectQueryBuilder<ActivityRow>,
  along: IndexValue | undefined,
  { below, from, parameter = 'along' }: IdRange & { parameter?: string } = {},
): void {
  const id = `${ALIAS}.id`;
  query.setParameters({ ...(below && { below }), ...(from && { from }), ...(along && { [parameter]: along.value }) });
  if (along) {
    const { name, only } = INDEXES[along.column];
    const column = `${ALIAS}.${along.column}`;
    useIndex(query, name);
    if (only) query.andWhere(`${column} ${only}`);
    const { type } = query.dataSource.options;
    haveValue(query, column, { parameter, asRange: type !== 'better-sqlite3' });
    if (type === 'postgres') {
      if (below) query.andWhere(`(${column}, ${id}) < (:${parameter}, :below)`);
      if (from) query.andWhere(`(${column}, ${id}) >= (:${parameter}, :from)`);
    }
  } else query.useIndex('PRIMARY');
  query.addOrderBy(id, 'DESC');
  // On PostgreSQL too, beside the pairs, which it searches by but cannot estimate.
  if (below) query.andWhere(`${id} < :below`);
  if (from) query.andWhere(`${id} >= :from`);
}

/** A place in the order of the ends. */
export interface EndedPlace {
  endedAt: number;
  id: string;
}

/**
 * Reads along the index of the ends in one scope, newest first.
 * @param from  milliseconds since 1970: only what ended before; or a place, and only what comes after it.
 */
export function alongEnds(query: SelectQueryBuilder<ActivityRow>, scope: string, from: number | EndedPlace): void {
  const [id, ended] = [`${ALIAS}.id`, `${ALIAS}.ended_at`];
  const isMySql = ['mysql', 'mariadb'].includes(query.dataSource.options.type);
  useIndex(query, 'ended');
  query.setParameter('scope', scope);
  haveValue(query, `${ALIAS}.scope`, { parameter: 'scope', asRange: isMySql });
  query.addOrderBy(ended, 'DESC').addOrderBy(id, 'DESC');
  if (typeof from === 'object') {
    query.andWhere(`${ended} <= :endedAt AND (${ended} < :endedAt OR ${id} < :id)`, { ...from });
  } else if (from === Infinity) query.andWhere(`${ended} IS NOT NULL`);
  else query.andWhere(`${ended} < :from`, { from });
}

/** Tells MariaDB and MySQL, who alone ask, which of our indexes to take. */
export function useIndex(query: SelectQueryBuilder<ActivityRow>, name: string): void {
  query.useIndex(`${query.expressionMap.mainAlias!.metadata.tableName}_by_${name}`);
}

/**
 * That a column has a value.
 * @param options.asRange  from it up to it, and ordered by it: PostgreSQL leaves a column that is equal to one value out of
 *   the order, and MariaDB reads all rows of such a value, however the rest bounds them.
 */
function haveValue(
  query: SelectQueryBuilder<ActivityRow>,
  column: string,
  { parameter, asRange }: { parameter: string; asRange: boolean },
): void {
  if (asRange) query.andWhere(`${column} <= :${parameter} AND ${column} >= :${parameter}`).addOrderBy(column, 'DESC');
  else query.andWhere(`${column} = :${parameter}`);
}
