import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, dropColumns, type MigrationColumn } from './table-parts.js';

const columns: Record<string, MigrationColumn> = {
  progress_per_second: { kind: 'number', nullable: true },
  expected_end_at: { kind: 'milliseconds', nullable: true },
  steps: { kind: 'longText', nullable: true },
};

/** The rate, the expected end, and the steps as JSON. */
export function addProgressDetails(prefix: string): new () => MigrationInterface {
  return class AddProgressDetails1795593780000 implements MigrationInterface {
    name = 'AddProgressDetails1795593780000';

    async up(queryRunner: QueryRunner): Promise<void> {
      await addColumns(queryRunner, `${prefix}activities`, columns);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      await dropColumns(queryRunner, `${prefix}activities`, Object.keys(columns));
    }
  };
}
