import type { ColumnType, DataSourceOptions } from 'typeorm';

export type DatabaseType = 'better-sqlite3' | 'postgres' | 'mysql' | 'mariadb';
export const DATABASE_TYPES: readonly DatabaseType[] = ['better-sqlite3', 'postgres', 'mysql', 'mariadb'];

export function isDatabaseType(type: DataSourceOptions['type']): type is DatabaseType {
  return (DATABASE_TYPES as readonly string[]).includes(type);
}

/**
 * What a column holds, apart from the database. `milliseconds` is a time: milliseconds since 1970, UTC
 * (docs/decisions/0003-times-are-epoch-milliseconds.md).
 */
export type ColumnKind = 'uuid' | 'text' | 'longText' | 'milliseconds' | 'count' | 'integer' | 'number' | 'truth';

export interface Column {
  kind: ColumnKind;
  /** Characters of a `text`; anything longer is cut before the database sees it. */
  length?: number;
  nullable?: true;
  primary?: true;
  default?: number;
}

const TYPES: Record<'better-sqlite3' | 'postgres' | 'mysql', Record<ColumnKind, ColumnType>> = {
  'better-sqlite3': {
    uuid: 'varchar',
    text: 'varchar',
    longText: 'text',
    milliseconds: 'bigint',
    count: 'bigint',
    integer: 'integer',
    number: 'double',
    truth: 'boolean',
  },
  postgres: {
    uuid: 'uuid',
    text: 'varchar',
    longText: 'text',
    milliseconds: 'bigint',
    count: 'bigint',
    integer: 'integer',
    number: 'double precision',
    truth: 'boolean',
  },
  mysql: {
    uuid: 'char',
    text: 'varchar',
    longText: 'longtext',
    milliseconds: 'bigint',
    count: 'bigint',
    integer: 'int',
    number: 'double',
    truth: 'tinyint',
  },
};

/** The type of a column in one database, as TypeORM's entities and its `Table` API both take it. */
export function columnType(database: DatabaseType, { kind, length }: Column): { type: ColumnType; length?: string } {
  const type = TYPES[database === 'mariadb' ? 'mysql' : database][kind];
  if (kind === 'uuid' && database !== 'postgres') return { type, length: '36' };
  return length === undefined ? { type } : { type, length: String(length) };
}
