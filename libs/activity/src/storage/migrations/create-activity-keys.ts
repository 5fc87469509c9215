import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumns, tablePath, type MigrationColumn } from './table-parts.js';

const keyColumns: Record<string, MigrationColumn> = {
  key_hash: { kind: 'text', length: 64, key: true, primary: true },
  kind: { kind: 'text', length: 16 },
  activity_id: { kind: 'uuid' },
  fingerprint: { kind: 'text', length: 64, nullable: true },
  created_at: { kind: 'milliseconds' },
};

/** Who has which key. No foreign key: a key whose activity is gone is free, and is taken over like any other. */
export function createActivityKeys(prefix: string): new () => MigrationInterface {
  const name = `${prefix}activity_keys`;
  return class CreateActivityKeys1795593720000 implements MigrationInterface {
    name = 'CreateActivityKeys1795593720000';

    async up(queryRunner: QueryRunner): Promise<void> {
      const columns = await tableColumns(queryRunner, keyColumns);
      // By activity, for those that go with its row.
      const indices = [new TableIndex({ name: `${name}_by_activity`, columnNames: ['activity_id'] })];
      await queryRunner.createTable(new Table({ name: tablePath(queryRunner, name), columns, indices }), true);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.dropTable(tablePath(queryRunner, name), true);
    }
  };
}
