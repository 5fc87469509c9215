import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, dropColumns, type MigrationColumn } from './table-parts.js';

const columns: Record<string, MigrationColumn> = {
  attempts: { kind: 'integer', default: 1 },
  job_queue: { kind: 'text', length: 191, nullable: true },
  job_id: { kind: 'text', length: 255, nullable: true },
};

/** How often the work of an activity was begun, and the job that it is, where a queue hands it out. */
export function addAttempts(prefix: string): new () => MigrationInterface {
  const table = `${prefix}activities`;
  return class AddAttempts1795594260000 implements MigrationInterface {
    name = 'AddAttempts1795594260000';

    up(queryRunner: QueryRunner): Promise<void> {
      return addColumns(queryRunner, table, columns);
    }

    down(queryRunner: QueryRunner): Promise<void> {
      return dropColumns(queryRunner, table, Object.keys(columns));
    }
  };
}
