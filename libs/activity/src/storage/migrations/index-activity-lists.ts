import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { isMySql, tablePath } from './table-parts.js';

/**
 * One index for each way to list. Each ends with the id, in whose order lists are (so without a filter the primary key
 * serves); `ended` serves retention.
 */
const indexes: Record<string, { columns: string[]; notNull?: string }> = {
  status: { columns: ['status', 'id'] },
  type: { columns: ['type', 'id'] },
  resource: { columns: ['resource_id', 'id'], notNull: 'resource_id' },
  actor: { columns: ['actor_id', 'id'], notNull: 'actor_id' },
  batch: { columns: ['batch_id', 'id'], notNull: 'batch_id' },
  parent: { columns: ['parent_id', 'id'], notNull: 'parent_id' },
  ended: { columns: ['scope', 'ended_at'], notNull: 'ended_at' },
};

/**
 * Where the database can, an index leaves out the rows that have nothing in its column: most activities have no batch and
 * no parent, and each index that a row is in makes its start and its end dearer.
 */
export function indexActivityLists(prefix: string): new () => MigrationInterface {
  return class IndexActivityLists1795593660000 implements MigrationInterface {
    name = 'IndexActivityLists1795593660000';

    async up(queryRunner: QueryRunner): Promise<void> {
      const table = await activities(queryRunner, prefix);
      for (const index of listIndexes(queryRunner, prefix)) {
        if (table.indices.some(({ name }) => name === index.name)) continue;
        await queryRunner.createIndex(table, index);
      }
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      const table = await activities(queryRunner, prefix);
      for (const { name } of listIndexes(queryRunner, prefix)) {
        const index = table.indices.find((one) => one.name === name);
        if (index) await queryRunner.dropIndex(table, index);
      }
    }
  };
}

async function activities(queryRunner: QueryRunner, prefix: string) {
  const path = tablePath(queryRunner, `${prefix}activities`);
  const table = await queryRunner.getTable(path);
  if (!table) throw new Error(`The table ${path} is missing, though its migration is said to have run.`);
  return table;
}

function listIndexes(queryRunner: QueryRunner, prefix: string): TableIndex[] {
  return Object.entries(indexes).map(
    ([name, { columns, notNull }]) =>
      new TableIndex({
        name: `${prefix}activities_by_${name}`,
        columnNames: columns,
        ...(notNull && !isMySql(queryRunner) ? { where: `"${notNull}" IS NOT NULL` } : {}),
      }),
  );
}
