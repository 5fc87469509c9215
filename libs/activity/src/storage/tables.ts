import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import type { ActivityEntities } from './activity-entities.js';

/** Names as they stand in a statement: quoted, with the schema that the data source works in. */
export interface Tables {
  activities: string;
  messages: string;
  owners: string;
  chores: string;
  keys: string;
  limits: string;
  slots: string;
}

export function tablesOf(dataSource: DataSource, entities: ActivityEntities): Tables {
  const quoted = (entity: EntityTarget<ObjectLiteral>) =>
    dataSource
      .getMetadata(entity)
      .tablePath.split('.')
      .map((part) => dataSource.driver.escape(part))
      .join('.');
  return {
    activities: quoted(entities.activity),
    messages: quoted(entities.message),
    owners: quoted(entities.owner),
    chores: quoted(entities.chore),
    keys: quoted(entities.key),
    limits: quoted(entities.limit),
    slots: quoted(entities.slot),
  };
}

/** Statuses as a list of SQL text; they are words of ours, so nothing needs escaping. */
export function statusList(statuses: readonly string[]): string {
  return statuses.map((status) => `'${status}'`).join(', ');
}
