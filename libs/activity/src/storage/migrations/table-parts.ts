import { TableColumn, type QueryRunner } from 'typeorm';
import { columnType, type Column, type DatabaseType } from '../column-types.js';

/** A column of a migration. `key`: compared and sorted byte by byte, in an index. */
export type MigrationColumn = Column & { key?: true };

export function databaseType(queryRunner: QueryRunner): DatabaseType {
  return queryRunner.dataSource.options.type as DatabaseType;
}

export function isMySql(queryRunner: QueryRunner): boolean {
  return ['mysql', 'mariadb'].includes(databaseType(queryRunner));
}

/** The table's name with the schema that the data source works in, as the `Table` API takes it. */
export function tablePath(queryRunner: QueryRunner, name: string): string {
  const { options } = queryRunner.dataSource;
  return options.type === 'postgres' && options.schema ? `${options.schema}.${name}` : name;
}

/** The same, quoted for a statement. */
export function quotedPath(queryRunner: QueryRunner, name: string): string {
  const { driver } = queryRunner.dataSource;
  return tablePath(queryRunner, name)
    .split('.')
    .map((part) => driver.escape(part))
    .join('.');
}

/** Columns as the `Table` API takes them. */
export async function tableColumns(
  queryRunner: QueryRunner,
  columns: Readonly<Record<string, MigrationColumn>>,
): Promise<TableColumn[]> {
  const database = databaseType(queryRunner);
  const binary = isMySql(queryRunner) ? await binaryCollation(queryRunner) : undefined;
  return Object.entries(columns).map(([name, column]) => {
    const { type, length } = columnType(database, column);
    return new TableColumn({
      name,
      type: type as string,
      ...(length === undefined ? {} : { length }),
      isNullable: column.nullable ?? false,
      isPrimary: column.primary ?? false,
      ...(column.default === undefined ? {} : { default: column.default }),
      ...collationOf(database, column, binary),
    });
  });
}

/**
 * Adds the columns that are not there yet. On SQLite by a statement of its own: TypeORM would rebuild the table there, and
 * lose the trigger with it.
 */
export async function addColumns(
  queryRunner: QueryRunner,
  name: string,
  columns: Readonly<Record<string, MigrationColumn>>,
): Promise<void> {
  const table = tablePath(queryRunner, name);
  for (const column of await tableColumns(queryRunner, columns)) {
    // MariaDB commits each statement by itself: an earlier, broken run may have added it.
    if (await queryRunner.hasColumn(table, column.name)) continue;
    if (databaseType(queryRunner) !== 'better-sqlite3') {
      await queryRunner.addColumn(table, column);
      continue;
    }
    const type = column.length ? `${column.type}(${column.length})` : column.type;
    const fallback = column.default === undefined ? '' : ` DEFAULT ${String(column.default)}`;
    const nullable = column.isNullable ? '' : ' NOT NULL';
    await queryRunner.query(
      `ALTER TABLE ${quotedPath(queryRunner, name)} ADD COLUMN "${column.name}" ${type}${nullable}${fallback}`,
    );
  }
}

/** Drops columns, on SQLite as well without rebuilding the table. */
export async function dropColumns(queryRunner: QueryRunner, name: string, columns: readonly string[]): Promise<void> {
  for (const column of columns) {
    if (!(await queryRunner.hasColumn(tablePath(queryRunner, name), column))) continue;
    await queryRunner.query(
      `ALTER TABLE ${quotedPath(queryRunner, name)} DROP COLUMN ${queryRunner.dataSource.driver.escape(column)}`,
    );
  }
}

function collationOf(database: DatabaseType, column: MigrationColumn, binary?: string) {
  // A database's default character set may be one that has no emoji, and its collation one for which `a` is `A`.
  if (binary !== undefined && column.kind === 'uuid') return { charset: 'ascii', collation: 'ascii_bin' };
  if (binary !== undefined && ['text', 'longText'].includes(column.kind)) {
    return { charset: 'utf8mb4', collation: binary };
  }
  return database === 'postgres' && column.key ? { collation: 'C' } : {};
}

/** Byte by byte and, where the server has such a collation, without padding: `x` and `x ` are two values. */
async function binaryCollation(queryRunner: QueryRunner): Promise<string> {
  const wanted = ['utf8mb4_nopad_bin', 'utf8mb4_0900_bin', 'utf8mb4_bin'];
  const rows = (await queryRunner.query(
    `SELECT COLLATION_NAME AS name FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN (?, ?, ?)`,
    wanted,
  )) as { name: string }[];
  return wanted.find((name) => rows.some((row) => row.name === name)) ?? 'utf8mb4_bin';
}
