import { statusList } from './tables.js';
import type { UpdateGroup } from './write-batch.js';

export interface UpdateDialect {
  quote: (column: string) => string;
  /** The row's own column, where a bare name would be ambiguous. */
  own: (column: string) => string;
  /** The new value of a column. */
  value: (column: string) => string;
  greatest: 'MAX' | 'GREATEST';
}

/** `SET` of a group. A clock that was set back gives no end before the start and no older `updated_at`; every change raises `version`. */
export function setClause(
  { columns, cleared = [] }: Pick<UpdateGroup, 'columns' | 'cleared'>,
  { quote, own, value, greatest }: UpdateDialect,
): string {
  const floor: Record<string, string> = {
    started_at: own('created_at'),
    updated_at: own('updated_at'),
    ended_at: `COALESCE(${own('started_at')}, ${own('created_at')})`,
  };
  const assignments = columns.map((column) => {
    const least = floor[column];
    return `${quote(column)} = ${least === undefined ? value(column) : `${greatest}(${value(column)}, ${least})`}`;
  });
  const nulls = cleared.map((column) => `${quote(column)} = NULL`);
  return [...assignments, ...nulls, `${quote('version')} = ${own('version')} + 1`].join(', ');
}

/** The guard of a group, beside id, owner and fence. */
export function guard({ from, firstCancelOnly }: UpdateGroup, own: UpdateDialect['own']): string {
  const status = `${own('status')} IN (${statusList(from)})`;
  return firstCancelOnly ? `${status} AND ${own('cancel_requested_at')} IS NULL` : status;
}
