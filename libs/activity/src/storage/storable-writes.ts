import type { JsonObject } from '../model/activity.js';
import { errorLine } from '../model/stored-error.js';
import { LENGTHS } from './activity-entities.js';
import type { SlotClaim } from './activity-slots.js';
import {
  QUEUE_OWNER,
  type ActivityChanges,
  type CancelFact,
  type NewActivity,
  type NewLine,
  type NewLines,
  type Ownership,
  type PutBack,
  type Settlement,
  type Trim,
} from './activity-store.js';
import { limitHash } from './limit-hash.js';
import type { SqlValue } from './sql-value.js';
import { MAX_METADATA_BYTES, MAX_RESULT_BYTES, storableError, storableJson } from './storable-json.js';
import { storableSteps } from './storable-steps.js';
import { storableText, storableTextOrNull } from './storable-text.js';
import type {
  CancelWrite,
  Changes,
  InsertWrite,
  LinesWrite,
  LineValues,
  SlotsWrite,
  SlotWrite,
  StatusWrite,
  UpdateWrite,
  Write,
} from './write.js';

/** In the order of `INSERT_COLUMNS`, with everything in it made storable. */
export function insertWrite(id: string, activity: NewActivity): InsertWrite {
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
      storableTextOrNull(activity.job?.queue, LENGTHS.job_queue),
      storableTextOrNull(activity.job?.id, LENGTHS.job_id),
    ],
  };
}

/** The same of one that comes to the line of a limit. */
export function limitedInsertWrite(id: string, activity: NewActivity, claim: SlotClaim): InsertWrite {
  return { ...insertWrite(id, activity), slot: slotOf(claim, activity.ownerId) };
}

export function slotWrite(
  kind: SlotsWrite['kind'],
  id: string,
  { claim, ownerId }: { claim: SlotClaim; ownerId: string },
): SlotsWrite {
  return { kind, id, slot: slotOf(claim, ownerId) };
}

function slotOf({ key, max, scope }: SlotClaim, ownerId: string): SlotWrite {
  const claim = { key: storableText(key, LENGTHS.limit_key), max, scope: storableText(scope, LENGTHS.scope) };
  return { hash: limitHash(key), claim, ownerId };
}

export function grantWrite(id: string, owner: Ownership, startedAt: Date): Write {
  const at = startedAt.getTime();
  return { kind: 'grant', id, owner, to: 'running', at, values: ['running', at], changes: [at] };
}

/** Of its changes, those of the attempt that is over are left out: they are cleared. */
export function putBackWrite(id: string, owner: Ownership, { attempts, at: time, changes }: PutBack): Write {
  const { latestMessage, messageCount, warningCount, errorCount, droppedMessageCount, metadata } = changes;
  const kept = { latestMessage, messageCount, warningCount, errorCount, droppedMessageCount, metadata };
  const at = time.getTime();
  const values = ['queued', QUEUE_OWNER, attempts];
  return { kind: 'putBack', id, owner, to: 'queued', at, values, changes: changedValues(at, kept) };
}

export function updateWrite(id: string, owner: Ownership, changes: ActivityChanges): UpdateWrite {
  return { kind: 'update', id, owner, changes: changedValues(Date.now(), changes) };
}

export function cancelWrite(id: string, owner: Ownership, cancel: CancelFact | null): CancelWrite {
  const values = ['cancelling', ...(cancel ? cancelValues(cancel) : [])];
  return { kind: 'cancel', id, owner, values, changes: [cancel?.requestedAt.getTime() ?? Date.now()] };
}

export function linesWrite(id: string, { ownerId, fence, lines }: NewLines): LinesWrite {
  return { kind: 'lines', id, lines: { activityId: id, ownerId, fence, lines: lines.map(lineValues) } };
}

export function trimWrite(id: string, { fromSeq, toSeq, ownerId, fence, marker }: Trim): Write {
  const owned = { activityId: id, ownerId, fence };
  return {
    kind: 'trim',
    id,
    range: { ...owned, fromSeq, toSeq },
    marker: { ...owned, lines: [lineValues(marker)] },
  };
}

/**
 * The end of an activity. Should the database refuse it, it is tried without its bodies, then with nothing but its
 * outcome: a failure is stored in a poorer form, never lost.
 */
export function settleWrite(id: string, settlement: Settlement): Write {
  return endWrite(id, settlement, () =>
    endWrite(id, withoutBodies(settlement), () => endWrite(id, outcomeOf(settlement))),
  );
}

function withoutBodies({ result: _result, ...settlement }: Settlement): Settlement {
  const { metadata: _metadata, steps: _steps, ...changes } = settlement.changes;
  const { error } = settlement;
  return { ...settlement, error: error && { name: error.name, message: error.message }, changes };
}

function outcomeOf({ cancel: _cancel, result: _result, ...settlement }: Settlement): Settlement {
  return { ...settlement, error: null, changes: {} };
}

function endWrite(id: string, settlement: Settlement, poorer?: () => Write): StatusWrite {
  const { status, changes, cancel } = settlement;
  const at = settlement.endedAt.getTime();
  return {
    kind: 'settle',
    id,
    owner: settlement,
    to: status,
    at,
    values: endValues(settlement, at),
    changes: changedValues(at, changes),
    cancel: cancel && cancelValues(cancel),
    poorer,
  };
}

/** A row that has neither an error nor a result has none to be written over. */
function endValues({ status, reason, error, result }: Settlement, at: number): SqlValue[] {
  if (!error && result === undefined) return [status, reason, at];
  return [
    status,
    reason,
    at,
    error && storableError(error),
    error && storableText(errorLine(error), LENGTHS.error_message),
    result === undefined ? null : storableJson(result, MAX_RESULT_BYTES),
  ];
}

/** In the order of `CANCEL_COLUMNS`. */
export function cancelValues({ requestedAt, by, reason }: CancelFact): SqlValue[] {
  return [
    requestedAt.getTime(),
    storableTextOrNull(by?.id, LENGTHS.actor_id),
    storableTextOrNull(by?.name, LENGTHS.actor_name),
    storableTextOrNull(reason, LENGTHS.cancel_reason),
  ];
}

function changedValues(at: number, changes: ActivityChanges): Changes {
  const { progress, expectedEndAt, step, steps, criticalSection, latestMessage, metadata } = changes;
  return [
    at,
    finiteOrNull(progress?.percent),
    finiteOrNull(progress?.current),
    finiteOrNull(progress?.total),
    progress?.unit === undefined ? undefined : storableTextOrNull(progress.unit, LENGTHS.progress_unit),
    step === undefined ? undefined : storableTextOrNull(step, LENGTHS.step),
    criticalSection === undefined ? undefined : storableTextOrNull(criticalSection, LENGTHS.critical_section),
    latestMessage === undefined ? undefined : storableTextOrNull(latestMessage, LENGTHS.latest_message),
    changes.messageCount,
    changes.warningCount,
    changes.errorCount,
    changes.droppedMessageCount,
    metadata && storedMetadata(metadata),
    finiteOrNull(progress?.perSecond),
    expectedEndAt === undefined ? undefined : (expectedEndAt?.getTime() ?? null),
    steps && storableSteps(steps),
  ];
}

function lineValues({ seq, at, level, text, source, step }: NewLine): LineValues {
  return [
    seq,
    at.getTime(),
    level,
    storableText(text, LENGTHS.message),
    source,
    storableTextOrNull(step, LENGTHS.step),
  ];
}

function storedMetadata(metadata: JsonObject): string {
  return storableJson(metadata, MAX_METADATA_BYTES);
}

function finiteOrNull(value: number | null | undefined): number | null | undefined {
  if (value === undefined) return undefined;
  return value !== null && Number.isFinite(value) ? value : null;
}
