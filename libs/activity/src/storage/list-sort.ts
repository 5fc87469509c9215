import type { SelectQueryBuilder } from 'typeorm';
import type { ActivitySort } from '../model/sorts.js';
import { LENGTHS, type ActivityRow, type SummaryRow } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import { toNumberOrNull, toTextOrNull } from './sql-value.js';
import { storableText } from './storable-text.js';

/** All but the one in which the ids are. */
export type OtherSort = Exclude<ActivitySort, '-created'>;

/** What a row is sorted by; null comes last. */
export type SortKey = number | string | null;

interface Sorting {
  sql: string;
  key: 'number' | 'text';
  direction: 'ASC' | 'DESC';
  keyOf: (row: SummaryRow) => SortKey;
}

const SORTINGS: Record<OtherSort, Sorting> = {
  '-finished': {
    sql: `${ALIAS}.ended_at`,
    key: 'number',
    direction: 'DESC',
    keyOf: ({ ended_at }) => toNumberOrNull(ended_at),
  },
  '-duration': {
    sql: `(${ALIAS}.ended_at - ${ALIAS}.started_at)`,
    key: 'number',
    direction: 'DESC',
    keyOf: ({ ended_at, started_at }) => {
      const [end, start] = [toNumberOrNull(ended_at), toNumberOrNull(started_at)];
      return end === null || start === null ? null : end - start;
    },
  },
  type: { sql: `${ALIAS}.type`, key: 'text', direction: 'ASC', keyOf: ({ type }) => toTextOrNull(type) },
  status: { sql: `${ALIAS}.status`, key: 'text', direction: 'ASC', keyOf: ({ status }) => toTextOrNull(status) },
};

export function isOtherSort(value: unknown): value is OtherSort {
  return typeof value === 'string' && Object.hasOwn(SORTINGS, value);
}

/** The place of a row in a sorted list. */
export interface SortedPlace {
  key: SortKey;
  id: string;
}

/** Whether a key may be one of a sort's: what a caller has made up reaches no database. */
export function isKeyOf(sort: OtherSort, key: unknown): key is SortKey {
  if (SORTINGS[sort].key === 'number') return key === null || Number.isSafeInteger(key);
  return typeof key === 'string' && storableText(key, LENGTHS.type) === key;
}

export function placeOf(row: SummaryRow, sort: OtherSort): SortedPlace {
  return { key: SORTINGS[sort].keyOf(row), id: row.id as string };
}

/** Orders by the key, what has none last, and of equal keys by creation, newest first. */
export function addSort(query: SelectQueryBuilder<ActivityRow>, sort: OtherSort, after?: SortedPlace): void {
  const { sql, direction } = SORTINGS[sort];
  query
    .orderBy(`CASE WHEN ${sql} IS NULL THEN 1 ELSE 0 END`, 'ASC')
    .addOrderBy(sql, direction)
    .addOrderBy(`${ALIAS}.id`, 'DESC');
  if (after === undefined) return;
  if (after.key === null) {
    query.andWhere(`${sql} IS NULL AND ${ALIAS}.id < :afterId`, { afterId: after.id });
    return;
  }
  const beyond = direction === 'ASC' ? '>' : '<';
  query.andWhere(`(${sql} ${beyond} :afterKey OR (${sql} = :afterKey AND ${ALIAS}.id < :afterId) OR ${sql} IS NULL)`, {
    afterKey: after.key,
    afterId: after.id,
  });
}
