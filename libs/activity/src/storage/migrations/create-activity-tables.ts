import { Table, TableForeignKey, type MigrationInterface, type QueryRunner } from 'typeorm';
import { databaseType, isMySql, quotedPath, tableColumns, tablePath, type MigrationColumn } from './table-parts.js';

const uuid: MigrationColumn = { kind: 'uuid', primary: true };
const time: MigrationColumn = { kind: 'milliseconds' };
const timeOrNull: MigrationColumn = { kind: 'milliseconds', nullable: true };
const count: MigrationColumn = { kind: 'count', default: 0 };
const number: MigrationColumn = { kind: 'number', nullable: true };
const text = (length: number): MigrationColumn => ({ kind: 'text', length });
const textOrNull = (length: number): MigrationColumn => ({ kind: 'text', length, nullable: true });
const key = (length: number): MigrationColumn => ({ kind: 'text', length, key: true });
const keyOrNull = (length: number): MigrationColumn => ({ kind: 'text', length, key: true, nullable: true });

const activityColumns: Record<string, MigrationColumn> = {
  id: uuid,
  scope: key(64),
  type: key(128),
  title: textOrNull(255),
  resource_type: keyOrNull(128),
  resource_id: keyOrNull(191),
  resource_name: textOrNull(255),
  actor_id: keyOrNull(191),
  actor_name: textOrNull(255),
  batch_id: keyOrNull(64),
  parent_id: keyOrNull(36),
  status: key(16),
  reason: textOrNull(32),
  cancellable: { kind: 'truth' },
  origin_kind: textOrNull(32),
  origin_label: textOrNull(255),
  request_id: textOrNull(191),
  traceparent: textOrNull(128),
  limit_key: textOrNull(191),
  progress_percent: number,
  progress_current: number,
  progress_total: number,
  progress_unit: textOrNull(32),
  step: textOrNull(255),
  latest_message: textOrNull(500),
  message_count: count,
  warning_count: count,
  error_count: count,
  dropped_message_count: count,
  metadata: { kind: 'longText' },
  result: { kind: 'longText', nullable: true },
  error: { kind: 'longText', nullable: true },
  error_message: textOrNull(1000),
  cancel_requested_at: timeOrNull,
  cancel_by_id: textOrNull(191),
  cancel_by_name: textOrNull(255),
  cancel_reason: textOrNull(2000),
  created_at: time,
  started_at: timeOrNull,
  ended_at: timeOrNull,
  updated_at: time,
  owner_id: key(64),
  fence: { kind: 'integer' },
  version: { kind: 'integer', default: 1 },
};

const messageColumns: Record<string, MigrationColumn> = {
  activity_id: uuid,
  seq: { kind: 'count', primary: true },
  at: time,
  level: text(16),
  text: { kind: 'longText' },
  source: text(16),
  step: textOrNull(255),
};

const ownerColumns: Record<string, MigrationColumn> = {
  id: uuid,
  label: text(255),
  started_at: time,
  renewed_at: time,
};

/**
 * The three tables. Lines go with their activity, whoever deletes it: by a foreign key on MariaDB and MySQL, elsewhere by
 * a trigger, since the check of a foreign key was seen to cost a fifth to a third of all lines written.
 * A later migration that rebuilds `activities` on SQLite has to make the trigger again.
 */
export function createActivityTables(prefix: string): new () => MigrationInterface {
  const names = {
    activities: `${prefix}activities`,
    messages: `${prefix}activity_messages`,
    owners: `${prefix}activity_owners`,
    trigger: `${prefix}activity_messages_go_along`,
  };
  return class CreateActivityTables1795593600000 implements MigrationInterface {
    name = 'CreateActivityTables1795593600000';

    async up(queryRunner: QueryRunner): Promise<void> {
      // MariaDB commits each statement by itself: what an earlier, broken run has made is left as it is.
      await queryRunner.createTable(await table(queryRunner, names.activities, activityColumns), true);
      const messageTable = await table(queryRunner, names.messages, messageColumns);
      if (isMySql(queryRunner)) messageTable.addForeignKey(goAlong(names));
      await queryRunner.createTable(messageTable, true);
      await queryRunner.createTable(await table(queryRunner, names.owners, ownerColumns), true);
      for (const statement of triggerStatements(queryRunner, names)) await queryRunner.query(statement);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      for (const name of [names.messages, names.activities, names.owners]) {
        await queryRunner.dropTable(tablePath(queryRunner, name), true);
      }
      if (databaseType(queryRunner) === 'postgres') {
        await queryRunner.query(`DROP FUNCTION IF EXISTS ${quotedPath(queryRunner, names.trigger)}()`);
      }
    }
  };
}

type Names = Record<'activities' | 'messages' | 'owners' | 'trigger', string>;

async function table(queryRunner: QueryRunner, name: string, columns: Record<string, MigrationColumn>): Promise<Table> {
  return new Table({ name: tablePath(queryRunner, name), columns: await tableColumns(queryRunner, columns) });
}

function goAlong(names: Names): TableForeignKey {
  return new TableForeignKey({
    name: names.trigger,
    columnNames: ['activity_id'],
    referencedTableName: names.activities,
    referencedColumnNames: ['id'],
    onDelete: 'CASCADE',
  });
}

function triggerStatements(queryRunner: QueryRunner, names: Names): string[] {
  const activities = quotedPath(queryRunner, names.activities);
  const messages = quotedPath(queryRunner, names.messages);
  const trigger = quotedPath(queryRunner, names.trigger);
  switch (databaseType(queryRunner)) {
    case 'better-sqlite3':
      return [
        `CREATE TRIGGER IF NOT EXISTS ${trigger} AFTER DELETE ON ${activities} FOR EACH ROW ` +
          `BEGIN DELETE FROM ${messages} WHERE activity_id = OLD.id; END`,
      ];
    case 'postgres':
      return [
        `CREATE OR REPLACE FUNCTION ${trigger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` +
          `DELETE FROM ${messages} m USING gone g WHERE m.activity_id = g.id; RETURN NULL; END $$`,
        `DROP TRIGGER IF EXISTS "${names.trigger}" ON ${activities}`,
        `CREATE TRIGGER "${names.trigger}" AFTER DELETE ON ${activities} REFERENCING OLD TABLE AS gone ` +
          `FOR EACH STATEMENT EXECUTE FUNCTION ${trigger}()`,
      ];
    default:
      return [];
  }
}
