import { Brackets, type SelectQueryBuilder } from 'typeorm';
import type { ActivityRow } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import { storableText } from './storable-text.js';

/** Rows that one search looks at: some tens of milliseconds, whatever the table has. */
const WINDOW = 20_000;

const COLUMNS = [
  'title',
  'type',
  'resource_id',
  'resource_name',
  'actor_id',
  'actor_name',
  'step',
  'latest_message',
  'error_message',
] as const satisfies readonly (keyof ActivityRow)[];

/** The last row of the window that is searched: those below have not been looked at. Null when the window has all. */
export async function endOfWindow(filtered: SelectQueryBuilder<ActivityRow>): Promise<string | null> {
  const row = await filtered
    .clone()
    .select(`${ALIAS}.id`, 'id')
    .offset(WINDOW - 1)
    .limit(1)
    .getRawOne<{ id: string }>();
  return row?.id ?? null;
}

/** Adds that the text occurs in one of the columns, as it is written: wildcards are themselves. */
export function addSearch(query: SelectQueryBuilder<ActivityRow>, search: string): void {
  // LOWER on both sides: LIKE is blind to case on SQLite, sees it on PostgreSQL, and on MariaDB asks the collation.
  const pattern = `%${storableText(search, 200).toLowerCase().replaceAll(/[!%_]/g, '!$&')}%`;
  query.andWhere(
    new Brackets((any) => {
      for (const column of COLUMNS)
        any.orWhere(`LOWER(${ALIAS}.${column}) LIKE :search ESCAPE '!'`, { search: pattern });
    }),
  );
}
