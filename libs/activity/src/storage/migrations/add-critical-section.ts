import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, dropColumns, type MigrationColumn } from './table-parts.js';

const columns: Record<string, MigrationColumn> = {
  critical_section: { kind: 'text', length: 255, nullable: true },
};

/** What the row says while its work must not be stopped half-way. */
export function addCriticalSection(prefix: string): new () => MigrationInterface {
  const table = `${prefix}activities`;
  return class AddCriticalSection1795593840000 implements MigrationInterface {
    name = 'AddCriticalSection1795593840000';

    up(queryRunner: QueryRunner): Promise<void> {
      return addColumns(queryRunner, table, columns);
    }

    down(queryRunner: QueryRunner): Promise<void> {
      return dropColumns(queryRunner, table, Object.keys(columns));
    }
  };
}
