import type { ActivityStatus } from '../model/statuses.js';
import type { SlotClaim } from './activity-slots.js';
import type { Ownership } from './activity-store.js';
import type { SqlValue } from './sql-value.js';

/**
 * What changes between start and end, in this order. A place that is undefined leaves its column as it is; so equal sets
 * of columns are known by their places, and newer values go over older ones without a look at names.
 */
export const CHANGE_COLUMNS = [
  'updated_at',
  'progress_percent',
  'progress_current',
  'progress_total',
  'progress_unit',
  'step',
  'critical_section',
  'latest_message',
  'message_count',
  'warning_count',
  'error_count',
  'dropped_message_count',
  'metadata',
  'progress_per_second',
  'expected_end_at',
  'steps',
] as const;
export type Changes = readonly (SqlValue | undefined)[];

/** What an attempt says of itself: cleared when it is over, and another one is to follow. */
export const ATTEMPT_COLUMNS = [
  'started_at',
  'progress_percent',
  'progress_current',
  'progress_total',
  'progress_unit',
  'progress_per_second',
  'expected_end_at',
  'step',
  'steps',
  'critical_section',
] as const;

export const GRANT_COLUMNS = ['status', 'started_at'] as const;
export const SETTLE_COLUMNS = ['status', 'reason', 'ended_at'] as const;
export const SETTLE_BODY_COLUMNS = [...SETTLE_COLUMNS, 'error', 'error_message', 'result'] as const;
export const CANCEL_COLUMNS = ['cancel_requested_at', 'cancel_by_id', 'cancel_by_name', 'cancel_reason'] as const;
export const PUT_BACK_COLUMNS = ['status', 'owner_id', 'attempts'] as const;
export const MARK_COLUMNS = ['status', ...CANCEL_COLUMNS] as const;

/** Lines of one activity. */
export interface LinesInsert extends Ownership {
  activityId: string;
  lines: readonly LineValues[];
}

/** In the order of `MESSAGE_COLUMNS`, without the activity. */
export type LineValues = readonly [
  seq: number,
  at: number,
  level: string,
  text: string,
  source: string,
  step: string | null,
];

export interface MessageRange extends Ownership {
  activityId: string;
  fromSeq: number;
  toSeq: number;
}

interface WriteBase {
  /** Of the activity. */
  id: string;
  /** The same write with less in it, for a database that refuses this one. */
  poorer?: () => Write;
}
interface OwnerWrite extends WriteBase {
  owner: Ownership;
}
export interface StatusWrite extends OwnerWrite {
  kind: 'grant' | 'putBack' | 'settle';
  to: ActivityStatus;
  /** `startedAt` or `endedAt`, as it is asked to be written. */
  at: number;
  /** Of `GRANT_COLUMNS`, `PUT_BACK_COLUMNS`, or of `SETTLE_COLUMNS` or `SETTLE_BODY_COLUMNS`. */
  values: readonly SqlValue[];
  changes: Changes;
  /** Of `CANCEL_COLUMNS`, written where the row has no cancel yet. */
  cancel?: readonly SqlValue[];
}
export interface UpdateWrite extends OwnerWrite {
  kind: 'update';
  changes: Changes;
}
/** `running → cancelling`: of a row that is already so, nothing is changed. */
export interface CancelWrite extends OwnerWrite {
  kind: 'cancel';
  /** The status, then all of `CANCEL_COLUMNS` or none. */
  values: readonly SqlValue[];
  changes: Changes;
}

export interface LinesWrite extends WriteBase {
  kind: 'lines';
  lines: LinesInsert;
}

/** A first row. With a claim it is written as one that waits or one that runs, as the limit's line says. */
export interface InsertWrite extends WriteBase {
  kind: 'insert';
  values: readonly SqlValue[];
  slot?: SlotWrite;
}
/** At a limit: `enter` comes to its line, `hold` runs without having been given a slot, `leave` gives slot or place back. */
export interface SlotsWrite extends WriteBase {
  kind: 'enter' | 'hold' | 'leave';
  slot: SlotWrite;
}
export interface SlotWrite {
  /** See `limitHash`. */
  hash: string;
  claim: SlotClaim;
  ownerId: string;
}

/** One write of an owner, with everything in it made storable: it is what it was when it was asked for. */
export type Write =
  | InsertWrite
  | SlotsWrite
  | StatusWrite
  | UpdateWrite
  | CancelWrite
  | LinesWrite
  | (WriteBase & { kind: 'trim'; range: MessageRange; marker: LinesInsert });

/** Columns of a new row; the others have their defaults. */
export const INSERT_COLUMNS = [
  'id',
  'scope',
  'type',
  'title',
  'resource_type',
  'resource_id',
  'resource_name',
  'actor_id',
  'actor_name',
  'batch_id',
  'parent_id',
  'status',
  'cancellable',
  'origin_kind',
  'origin_label',
  'request_id',
  'traceparent',
  'limit_key',
  'metadata',
  'created_at',
  'started_at',
  'updated_at',
  'owner_id',
  'fence',
  'job_queue',
  'job_id',
] as const;

/** The row of one that was to wait, and need not. */
export function startedRow(values: readonly SqlValue[]): SqlValue[] {
  return values.map((value, place) => {
    if (INSERT_COLUMNS[place] === 'status') return 'running';
    return INSERT_COLUMNS[place] === 'started_at' ? values[INSERT_COLUMNS.indexOf('created_at')]! : value;
  });
}

/** Places of `INSERT_COLUMNS` in which one of the rows has something: the others are null by themselves. */
export function insertedPlaces(rows: readonly (readonly SqlValue[])[]): number[] {
  const places: number[] = [];
  for (let place = 0; place < INSERT_COLUMNS.length; place++) {
    if (rows.some((row) => row[place] !== null)) places.push(place);
  }
  return places;
}

/** Both in one, where both wait. */
export function mergedUpdate(older: UpdateWrite, newer: UpdateWrite): UpdateWrite {
  const changes = CHANGE_COLUMNS.map((_, place) => {
    const value = newer.changes[place];
    return value === undefined ? older.changes[place] : value;
  });
  return { ...older, changes };
}
