import type { JsonObject, Progress } from '../model/activity.js';
import type { ActivityStatus, FinalStatus } from '../model/statuses.js';
import { errorLine } from '../model/stored-error.js';
import { LENGTHS } from './activity-entities.js';
import type {
  ActivityChanges,
  CancelFact,
  NewActivity,
  NewMessage,
  Ownership,
  Settlement,
  Trim,
} from './activity-store.js';
import type { SqlValue } from './sql-value.js';
import { MAX_METADATA_BYTES, MAX_RESULT_BYTES, storableError, storableJson } from './storable-json.js';
import { storableText, storableTextOrNull } from './storable-text.js';

/** Columns with their new values. */
export type Changes = Readonly<Record<string, SqlValue>>;

export interface MessageInsert extends Ownership {
  activityId: string;
  seq: number;
  /** In the order of `MESSAGE_COLUMNS`. */
  values: readonly SqlValue[];
}

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
  kind: 'grant' | 'settle';
  to: ActivityStatus;
  set: Changes;
  /** `startedAt` or `endedAt`, as it is asked to be written. */
  at: number;
  /** Written where the row has no cancel yet. */
  cancel?: Changes;
}
export interface UpdateWrite extends OwnerWrite {
  kind: 'update';
  set: Changes;
}

/** One write of an owner, with everything in it made storable: it is what it was when it was asked for. */
export type Write =
  | (WriteBase & { kind: 'insert'; values: readonly SqlValue[] })
  | StatusWrite
  | UpdateWrite
  | (WriteBase & { kind: 'message'; message: MessageInsert })
  | (WriteBase & { kind: 'trim'; range: MessageRange; marker: MessageInsert });

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
] as const;

export function insertWrite(id: string, activity: NewActivity): Write {
  const { resource, actor, origin } = activity;
  const createdAt = activity.createdAt.getTime();
  return {
    kind: 'insert',
    id,
    values: [
      id,
      storableText(activity.scope, LENGTHS.scope),
      storableText(activity.type, LENGTHS.type),
      storableTextOrNull(activity.title, LENGTHS.title),
      storableTextOrNull(resource?.type, LENGTHS.resource_type),
      storableTextOrNull(resource?.id, LENGTHS.resource_id),
      storableTextOrNull(resource?.name, LENGTHS.resource_name),
      storableTextOrNull(actor?.id, LENGTHS.actor_id),
      storableTextOrNull(actor?.name, LENGTHS.actor_name),
      storableTextOrNull(activity.batchId, LENGTHS.batch_id),
      storableTextOrNull(activity.parentId, LENGTHS.parent_id),
      activity.status,
      activity.cancellable ? 1 : 0,
      storableTextOrNull(origin.kind, LENGTHS.origin_kind),
      storableTextOrNull(origin.label, LENGTHS.origin_label),
      storableTextOrNull(origin.requestId, LENGTHS.request_id),
      storableTextOrNull(origin.traceparent, LENGTHS.traceparent),
      storableTextOrNull(activity.limitKey, LENGTHS.limit_key),
      storedMetadata(activity.metadata),
      createdAt,
      activity.startedAt === null ? null : Math.max(createdAt, activity.startedAt.getTime()),
      createdAt,
      activity.ownerId,
      activity.fence,
    ],
  };
}

export function grantWrite(id: string, owner: Ownership, startedAt: Date): Write {
  const at = startedAt.getTime();
  return { kind: 'grant', id, owner, to: 'running', at, set: { status: 'running', started_at: at, updated_at: at } };
}

export function updateWrite(id: string, owner: Ownership, changes: ActivityChanges): UpdateWrite {
  return { kind: 'update', id, owner, set: { ...changedColumns(changes), updated_at: Date.now() } };
}

export function messageWrite(id: string, message: NewMessage): Write {
  return { kind: 'message', id, message: messageInsert(id, message) };
}

export function trimWrite(id: string, { fromSeq, toSeq, ownerId, fence, marker }: Trim): Write {
  const range = { activityId: id, ownerId, fence, fromSeq, toSeq };
  return { kind: 'trim', id, range, marker: messageInsert(id, marker) };
}

/**
 * The end of an activity. Should the database refuse it, it is tried without its bodies, then with nothing but its
 * outcome: a failure is stored in a poorer form, never lost.
 */
export function settleWrite(id: string, settlement: Settlement): Write {
  const { changes, error, result: _result, ...outcome } = settlement;
  const { metadata: _metadata, ...small } = changes;
  const withoutBodies: Settlement = {
    ...outcome,
    error: error && { name: error.name, message: error.message },
    changes: small,
  };
  const outcomeOnly: Settlement = { ...outcome, error: null, changes: {} };
  delete outcomeOnly.cancel;
  return {
    ...statusWrite(id, settlement),
    poorer: () => ({ ...statusWrite(id, withoutBodies), poorer: () => statusWrite(id, outcomeOnly) }),
  };
}

function statusWrite(id: string, settlement: Settlement): StatusWrite {
  const { ownerId, fence, status, reason, error, result, changes, cancel } = settlement;
  const at = settlement.endedAt.getTime();
  return {
    kind: 'settle',
    id,
    owner: { ownerId, fence },
    to: status satisfies FinalStatus,
    at,
    set: {
      status,
      reason,
      ended_at: at,
      updated_at: at,
      error: error && storableError(error),
      error_message: error && storableText(errorLine(error), LENGTHS.error_message),
      result: result === undefined ? null : storableJson(result, MAX_RESULT_BYTES),
      ...changedColumns(changes),
    },
    ...(cancel ? { cancel: cancelColumns(cancel) } : {}),
  };
}

export function cancelColumns({ requestedAt, by, reason }: CancelFact) {
  return {
    cancel_requested_at: requestedAt.getTime(),
    cancel_by_id: storableTextOrNull(by?.id, LENGTHS.actor_id),
    cancel_by_name: storableTextOrNull(by?.name, LENGTHS.actor_name),
    cancel_reason: storableTextOrNull(reason, LENGTHS.cancel_reason),
  };
}

function changedColumns(changes: ActivityChanges): Changes {
  return {
    ...(changes.progress && progressColumns(changes.progress)),
    ...(changes.step !== undefined && { step: storableTextOrNull(changes.step, LENGTHS.step) }),
    ...(changes.latestMessage !== undefined && {
      latest_message: storableTextOrNull(changes.latestMessage, LENGTHS.latest_message),
    }),
    ...(changes.messageCount !== undefined && { message_count: changes.messageCount }),
    ...(changes.warningCount !== undefined && { warning_count: changes.warningCount }),
    ...(changes.errorCount !== undefined && { error_count: changes.errorCount }),
    ...(changes.droppedMessageCount !== undefined && { dropped_message_count: changes.droppedMessageCount }),
    ...(changes.metadata !== undefined && { metadata: storedMetadata(changes.metadata) }),
  };
}

function progressColumns({ percent, current, total, unit }: Progress): Changes {
  return {
    progress_percent: finiteOrNull(percent),
    progress_current: finiteOrNull(current),
    progress_total: finiteOrNull(total),
    progress_unit: storableTextOrNull(unit, LENGTHS.progress_unit),
  };
}

function messageInsert(id: string, { ownerId, fence, seq, at, level, text, source, step }: NewMessage): MessageInsert {
  return {
    activityId: id,
    ownerId,
    fence,
    seq,
    values: [
      id,
      seq,
      at.getTime(),
      level,
      storableText(text, LENGTHS.message),
      source,
      storableTextOrNull(step, LENGTHS.step),
    ],
  };
}

function storedMetadata(metadata: JsonObject): string {
  return storableJson(metadata, MAX_METADATA_BYTES);
}

function finiteOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
