import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, dropColumns, type MigrationColumn } from './table-parts.js';

const columns: Record<string, MigrationColumn> = {
  host: { kind: 'text', length: 255, nullable: true },
  pid: { kind: 'integer', nullable: true },
  expires_at: { kind: 'milliseconds', default: 0 },
  steady_since: { kind: 'milliseconds', default: 0 },
  sweeps: { kind: 'integer', default: 0 },
  swept_at: { kind: 'milliseconds', nullable: true },
};

/** Until when each process is believed without a word from it, and whether others have taken activities from it. */
export function addLeases(prefix: string): new () => MigrationInterface {
  const table = `${prefix}activity_owners`;
  return class AddLeases1795593960000 implements MigrationInterface {
    name = 'AddLeases1795593960000';

    up(queryRunner: QueryRunner): Promise<void> {
      return addColumns(queryRunner, table, columns);
    }

    down(queryRunner: QueryRunner): Promise<void> {
      return dropColumns(queryRunner, table, Object.keys(columns));
    }
  };
}
