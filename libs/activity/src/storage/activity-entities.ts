import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import { columnType, type Column, type DatabaseType } from './column-types.js';

/** Longest text of each bounded column, in characters. */
export const LENGTHS = {
  scope: 64,
  type: 128,
  title: 255,
  resource_type: 128,
  resource_id: 191,
  resource_name: 255,
  actor_id: 191,
  actor_name: 255,
  batch_id: 64,
  parent_id: 36,
  origin_kind: 32,
  origin_label: 255,
  request_id: 191,
  traceparent: 128,
  limit_key: 191,
  job_queue: 191,
  job_id: 255,
  progress_unit: 32,
  step: 255,
  critical_section: 255,
  latest_message: 500,
  error_message: 1000,
  cancel_reason: 2000,
  owner_id: 64,
  host: 255,
  message: 65_536,
} as const;

const uuid: Column = { kind: 'uuid', primary: true };
const time: Column = { kind: 'milliseconds' };
const count: Column = { kind: 'count', default: 0 };
const text = (length: number): Column => ({ kind: 'text', length });
const orNull = (column: Column): Column => ({ ...column, nullable: true });

/** The columns as they are now. The migrations have their own, older lists, which never change. */
export const ACTIVITY_COLUMNS = {
  id: uuid,
  scope: text(LENGTHS.scope),
  type: text(LENGTHS.type),
  title: orNull(text(LENGTHS.title)),
  resource_type: orNull(text(LENGTHS.resource_type)),
  resource_id: orNull(text(LENGTHS.resource_id)),
  resource_name: orNull(text(LENGTHS.resource_name)),
  actor_id: orNull(text(LENGTHS.actor_id)),
  actor_name: orNull(text(LENGTHS.actor_name)),
  batch_id: orNull(text(LENGTHS.batch_id)),
  parent_id: orNull(text(LENGTHS.parent_id)),
  status: text(16),
  reason: orNull(text(32)),
  cancellable: { kind: 'truth' },
  origin_kind: orNull(text(LENGTHS.origin_kind)),
  origin_label: orNull(text(LENGTHS.origin_label)),
  request_id: orNull(text(LENGTHS.request_id)),
  traceparent: orNull(text(LENGTHS.traceparent)),
  limit_key: orNull(text(LENGTHS.limit_key)),
  progress_percent: { kind: 'number', nullable: true },
  progress_current: { kind: 'number', nullable: true },
  progress_total: { kind: 'number', nullable: true },
  progress_unit: orNull(text(LENGTHS.progress_unit)),
  step: orNull(text(LENGTHS.step)),
  latest_message: orNull(text(LENGTHS.latest_message)),
  message_count: count,
  warning_count: count,
  error_count: count,
  dropped_message_count: count,
  metadata: { kind: 'longText' },
  result: { kind: 'longText', nullable: true },
  error: { kind: 'longText', nullable: true },
  error_message: orNull(text(LENGTHS.error_message)),
  cancel_requested_at: orNull(time),
  cancel_by_id: orNull(text(LENGTHS.actor_id)),
  cancel_by_name: orNull(text(LENGTHS.actor_name)),
  cancel_reason: orNull(text(LENGTHS.cancel_reason)),
  created_at: time,
  started_at: orNull(time),
  ended_at: orNull(time),
  updated_at: time,
  owner_id: text(LENGTHS.owner_id),
  fence: { kind: 'integer' },
  version: { kind: 'integer', default: 1 },
  progress_per_second: { kind: 'number', nullable: true },
  expected_end_at: orNull(time),
  steps: { kind: 'longText', nullable: true },
  critical_section: orNull(text(LENGTHS.critical_section)),
  attempts: { kind: 'integer', default: 1 },
  job_queue: orNull(text(LENGTHS.job_queue)),
  job_id: orNull(text(LENGTHS.job_id)),
} satisfies Record<string, Column>;

/** What a list does not read. */
export const BODY_COLUMNS = ['metadata', 'result', 'error', 'steps'] as const;

export const MESSAGE_COLUMNS = {
  activity_id: uuid,
  seq: { kind: 'count', primary: true },
  at: time,
  level: text(16),
  text: { kind: 'longText' },
  source: text(16),
  step: orNull(text(LENGTHS.step)),
} satisfies Record<string, Column>;

export const OWNER_COLUMNS = {
  id: uuid,
  label: text(255),
  started_at: time,
  renewed_at: time,
  host: orNull(text(LENGTHS.host)),
  pid: { kind: 'integer', nullable: true },
  expires_at: { ...time, default: 0 },
  steady_since: { ...time, default: 0 },
  sweeps: { kind: 'integer', default: 0 },
  swept_at: orNull(time),
} satisfies Record<string, Column>;

export const CHORE_COLUMNS = {
  name: { kind: 'text', length: 32, primary: true },
  due_at: time,
} satisfies Record<string, Column>;

export const KEY_COLUMNS = {
  key_hash: { kind: 'text', length: 64, primary: true },
  kind: text(16),
  activity_id: { kind: 'uuid' },
  fingerprint: orNull(text(64)),
  created_at: time,
} satisfies Record<string, Column>;

export const LIMIT_COLUMNS = {
  key_hash: { kind: 'text', length: 64, primary: true },
  limit_key: text(LENGTHS.limit_key),
  max_slots: { kind: 'count' },
  set_max: { kind: 'count', nullable: true },
  served: count,
  last_scope: orNull(text(LENGTHS.scope)),
  arrivals: count,
} satisfies Record<string, Column>;

export const SLOT_COLUMNS = {
  activity_id: uuid,
  key_hash: text(64),
  scope: text(LENGTHS.scope),
  owner_id: text(LENGTHS.owner_id),
  entered_at: time,
  place: { kind: 'count' },
  turn: { kind: 'count', nullable: true },
  held_at: orNull(time),
} satisfies Record<string, Column>;

/** Rows as a database gives them: a bigint may come as text, a truth as 0 or 1. */
export type ActivityRow = Record<keyof typeof ACTIVITY_COLUMNS, unknown>;
/** A row without its bodies. */
export type SummaryRow = Omit<ActivityRow, (typeof BODY_COLUMNS)[number]>;
export type MessageRow = Record<keyof typeof MESSAGE_COLUMNS, unknown>;
export type OwnerRow = Record<keyof typeof OWNER_COLUMNS, unknown>;
export type ChoreRow = Record<keyof typeof CHORE_COLUMNS, unknown>;

export type KeyRow = Record<keyof typeof KEY_COLUMNS, unknown>;
export type LimitRow = Record<keyof typeof LIMIT_COLUMNS, unknown>;
export type SlotRow = Record<keyof typeof SLOT_COLUMNS, unknown>;

export interface ActivityEntities {
  activity: EntitySchema<ActivityRow>;
  message: EntitySchema<MessageRow>;
  owner: EntitySchema<OwnerRow>;
  chore: EntitySchema<ChoreRow>;
  key: EntitySchema<KeyRow>;
  limit: EntitySchema<LimitRow>;
  slot: EntitySchema<SlotRow>;
}

/** Made for one data source, since the prefix belongs to the application: two of them in one process may differ. */
export function activityEntities(database: DatabaseType, prefix: string): ActivityEntities {
  return {
    activity: entity<ActivityRow>(database, `${prefix}activities`, ACTIVITY_COLUMNS),
    message: entity<MessageRow>(database, `${prefix}activity_messages`, MESSAGE_COLUMNS),
    owner: entity<OwnerRow>(database, `${prefix}activity_owners`, OWNER_COLUMNS),
    chore: entity<ChoreRow>(database, `${prefix}activity_chores`, CHORE_COLUMNS),
    key: entity<KeyRow>(database, `${prefix}activity_keys`, KEY_COLUMNS),
    limit: entity<LimitRow>(database, `${prefix}activity_limits`, LIMIT_COLUMNS),
    slot: entity<SlotRow>(database, `${prefix}activity_slots`, SLOT_COLUMNS),
  };
}

function entity<Row extends object>(
  database: DatabaseType,
  name: string,
  columns: Record<keyof Row, Column>,
): EntitySchema<Row> {
  const entries = Object.entries(columns) as [keyof Row, Column][];
  return new EntitySchema<Row>({
    name,
    tableName: name,
    // Only migrations change our tables, also where somebody adds these entities to a data source that synchronizes.
    synchronize: false,
    columns: Object.fromEntries(
      entries.map(([column, spec]): [keyof Row, EntitySchemaColumnOptions] => [
        column,
        {
          ...columnType(database, spec),
          primary: spec.primary ?? false,
          nullable: spec.nullable ?? false,
          ...(spec.default === undefined ? {} : { default: spec.default }),
        },
      ]),
    ) as { [P in keyof Row]: EntitySchemaColumnOptions },
  });
}
