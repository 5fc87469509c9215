import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumns, tablePath, type MigrationColumn } from './table-parts.js';

const columns: Record<string, MigrationColumn> = {
  name: { kind: 'text', length: 32, key: true, primary: true },
  due_at: { kind: 'milliseconds' },
};

/** What one process of all does from time to time, and when it is due. */
export function addChores(prefix: string): new () => MigrationInterface {
  const name = `${prefix}activity_chores`;
  return class AddChores1795593900000 implements MigrationInterface {
    name = 'AddChores1795593900000';

    async up(queryRunner: QueryRunner): Promise<void> {
      const table = new Table({
        name: tablePath(queryRunner, name),
        columns: await tableColumns(queryRunner, columns),
      });
      await queryRunner.createTable(table, true);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.dropTable(tablePath(queryRunner, name), true);
    }
  };
}
