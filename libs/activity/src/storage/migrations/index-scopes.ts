import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { isMySql, tablePath } from './table-parts.js';

/**
 * The lists of a scope. Where the database can, what has no scope of its own is left out: in an application without
 * tenants that is everything, and the index costs nothing.
 */
export function indexScopes(prefix: string): new () => MigrationInterface {
  const table = `${prefix}activities`;
  const index = `${table}_by_scope`;
  return class IndexScopes1795594080000 implements MigrationInterface {
    name = 'IndexScopes1795594080000';

    async up(queryRunner: QueryRunner): Promise<void> {
      const path = tablePath(queryRunner, table);
      const found = await queryRunner.getTable(path);
      // MariaDB commits each statement by itself: an earlier, broken run may have made it.
      if (found?.indices.some(({ name }) => name === index)) return;
      const where = isMySql(queryRunner) ? {} : { where: `"scope" <> 'default'` };
      await queryRunner.createIndex(path, new TableIndex({ name: index, columnNames: ['scope', 'id'], ...where }));
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.dropIndex(tablePath(queryRunner, table), index);
    }
  };
}
