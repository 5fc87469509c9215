import { Brackets, type SelectQueryBuilder } from 'typeorm';
import type { ActivityRow } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import { storableText } from './storable-text.js';

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

/**
 * Adds that the text occurs in one of the columns, as it is written: wildcards are themselves. Letters of ASCII may be
 * small or capital; others as they are given, or small where the database knows what that is.
 */
export function addSearch(query: SelectQueryBuilder<ActivityRow>, search: string): void {
  const text = storableText(search, 200);
  // LOWER on both sides: LIKE is blind to case on SQLite, sees it on PostgreSQL, and on MariaDB asks the collation.
  const small = patternOf(text.toLowerCase());
  // SQLite, and PostgreSQL with the locale C, leave other letters as they are: a capital one is not found by its small one.
  const given = patternOf(text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()));
  query.setParameters({ small, given }).andWhere(
    new Brackets((any) => {
      for (const column of COLUMNS) {
        any.orWhere(`LOWER(${ALIAS}.${column}) LIKE :small ESCAPE '!'`);
        if (given !== small) any.orWhere(`LOWER(${ALIAS}.${column}) LIKE :given ESCAPE '!'`);
      }
    }),
  );
}

function patternOf(text: string): string {
  return `%${text.replaceAll(/[!%_]/g, '!$&')}%`;
}
