import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { isMySql, tableColumns, tablePath, type MigrationColumn } from './table-parts.js';

const limitColumns: Record<string, MigrationColumn> = {
  key_hash: { kind: 'text', length: 64, key: true, primary: true },
  limit_key: { kind: 'text', length: 191 },
  max_slots: { kind: 'count' },
  set_max: { kind: 'count', nullable: true },
  served: { kind: 'count', default: 0 },
  last_scope: { kind: 'text', length: 64, nullable: true },
  arrivals: { kind: 'count', default: 0 },
};

const slotColumns: Record<string, MigrationColumn> = {
  activity_id: { kind: 'uuid', primary: true },
  key_hash: { kind: 'text', length: 64, key: true },
  scope: { kind: 'text', length: 64, key: true },
  owner_id: { kind: 'text', length: 64, key: true },
  entered_at: { kind: 'milliseconds' },
  place: { kind: 'count' },
  turn: { kind: 'count', nullable: true },
  held_at: { kind: 'milliseconds', nullable: true },
};

/** Where the database can, each index has only those that it is for: most slots have nobody waiting. */
const slotIndexes = {
  held: { columns: ['key_hash', 'held_at'], where: '"held_at" IS NOT NULL' },
  first: { columns: ['key_hash', 'turn'], where: '"turn" IS NOT NULL' },
  waiting: { columns: ['key_hash', 'scope', 'place'], where: '"held_at" IS NULL' },
};

/**
 * How many of each limit run at once, and who has a slot or waits for one. No foreign key: what runs on after its row has
 * ended, or was deleted, still has its slot.
 */
export function addLimits(prefix: string): new () => MigrationInterface {
  const [limits, slots] = [`${prefix}activity_limits`, `${prefix}activity_slots`];
  return class AddLimits1795594140000 implements MigrationInterface {
    name = 'AddLimits1795594140000';

    async up(queryRunner: QueryRunner): Promise<void> {
      const columns = await tableColumns(queryRunner, limitColumns);
      await queryRunner.createTable(new Table({ name: tablePath(queryRunner, limits), columns }), true);
      const indices = Object.entries(slotIndexes).map(
        ([name, { columns: columnNames, where }]) =>
          new TableIndex({ name: `${slots}_${name}`, columnNames, ...(isMySql(queryRunner) ? {} : { where }) }),
      );
      const table = new Table({
        name: tablePath(queryRunner, slots),
        columns: await tableColumns(queryRunner, slotColumns),
        indices,
      });
      await queryRunner.createTable(table, true);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      for (const name of [slots, limits]) await queryRunner.dropTable(tablePath(queryRunner, name), true);
    }
  };
}
