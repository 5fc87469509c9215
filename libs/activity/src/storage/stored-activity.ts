import type {
  Activity,
  ActivityMessage,
  ActivitySummary,
  Actor,
  JobRef,
  JsonObject,
  MessageLevel,
  MessageSource,
  StoredError,
} from '../model/activity.js';
import type { ActivityReason } from '../model/reasons.js';
import { isFinalStatus, type ActivityStatus } from '../model/statuses.js';
import type { ActivityRow, MessageRow, SummaryRow } from './activity-entities.js';
import type { ForeignChange } from './activity-store.js';
import { toNumber, toNumberOrNull, toTextOrNull } from './sql-value.js';
import { parseStored } from './storable-json.js';
import { stepsOf } from './storable-steps.js';
import { CANCEL_COLUMNS } from './write.js';

/** A row as the model has it. */
export function activityOf(row: ActivityRow): Activity {
  const { errorMessage: _errorMessage, ...summary } = summaryOf(row);
  const result = toTextOrNull(row.result);
  return {
    ...summary,
    ...stepsOf(toTextOrNull(row.steps), summary),
    metadata: parseStored<JsonObject>(toTextOrNull(row.metadata), {}),
    ...(result === null ? {} : { result: parseStored(result, null) }),
    error: errorOf(row),
  };
}

/** The same without its bodies, which may not have been read at all. */
export function summaryOf(row: SummaryRow): ActivitySummary {
  const startedAt = toDateOrNull(row.started_at);
  const endedAt = toDateOrNull(row.ended_at);
  const status = row.status as ActivityStatus;
  // One whose process died was settled by another, which knows nothing of its rate.
  const hasEnded = isFinalStatus(status);
  return {
    id: row.id as string,
    scope: row.scope as string,
    type: row.type as string,
    title: toTextOrNull(row.title),
    resource: resourceOf(row),
    actor: actorOf(row.actor_id, row.actor_name),
    batchId: toTextOrNull(row.batch_id),
    parentId: toTextOrNull(row.parent_id),
    status,
    // Of one that is being stopped it is a word to its owner: what it ends with is not known yet.
    reason: hasEnded ? (row.reason as ActivityReason | null) : null,
    cancellable: Boolean(Number(row.cancellable)),
    origin: {
      kind: toTextOrNull(row.origin_kind),
      label: toTextOrNull(row.origin_label),
      requestId: toTextOrNull(row.request_id),
      traceparent: toTextOrNull(row.traceparent),
    },
    limitKey: toTextOrNull(row.limit_key),
    job: jobOf(row),
    attempts: toNumber(row.attempts),
    progress: {
      percent: toPercentOrNull(row.progress_percent),
      current: toNumberOrNull(row.progress_current),
      total: toNumberOrNull(row.progress_total),
      unit: toTextOrNull(row.progress_unit),
      perSecond: hasEnded ? null : toNumberOrNull(row.progress_per_second),
    },
    expectedEndAt: hasEnded ? null : toDateOrNull(row.expected_end_at),
    step: toTextOrNull(row.step),
    criticalSection: toTextOrNull(row.critical_section),
    latestMessage: toTextOrNull(row.latest_message),
    messageCount: toNumber(row.message_count),
    warningCount: toNumber(row.warning_count),
    errorCount: toNumber(row.error_count),
    droppedMessageCount: toNumber(row.dropped_message_count),
    errorMessage: toTextOrNull(row.error_message),
    cancel: cancelOf(row),
    createdAt: toDate(row.created_at),
    startedAt,
    endedAt,
    updatedAt: toDate(row.updated_at),
    durationMs: startedAt && endedAt ? Math.max(0, endedAt.getTime() - startedAt.getTime()) : null,
    ownerId: row.owner_id as string,
    version: toNumber(row.version),
  };
}

export function messageOf(row: MessageRow): ActivityMessage {
  return {
    activityId: row.activity_id as string,
    seq: toNumber(row.seq),
    at: toDate(row.at),
    level: row.level as MessageLevel,
    text: row.text as string,
    source: row.source as MessageSource,
    step: toTextOrNull(row.step),
  };
}

function resourceOf(row: Pick<ActivityRow, 'resource_type' | 'resource_id' | 'resource_name'>) {
  const type = toTextOrNull(row.resource_type);
  const id = toTextOrNull(row.resource_id);
  return type === null || id === null ? null : { type, id, name: toTextOrNull(row.resource_name) };
}

function jobOf(row: Pick<ActivityRow, 'job_queue' | 'job_id'>): JobRef | null {
  const queue = toTextOrNull(row.job_queue);
  const id = toTextOrNull(row.job_id);
  return queue === null || id === null ? null : { queue, id };
}

function actorOf(id: unknown, name: unknown): Actor | null {
  const text = toTextOrNull(id);
  return text === null ? null : { id: text, name: toTextOrNull(name) };
}

/** What of a row others may have changed. */
export const FOREIGN_CHANGE_COLUMNS = ['id', 'status', 'reason', ...CANCEL_COLUMNS] as const;
export type ForeignChangeRow = Pick<ActivityRow, (typeof FOREIGN_CHANGE_COLUMNS)[number]>;

export function foreignChangeOf(row: ForeignChangeRow): ForeignChange {
  return {
    id: row.id as string,
    status: row.status as ActivityStatus,
    reason: row.reason as ActivityReason | null,
    cancel: cancelOf(row),
  };
}

function cancelOf(row: Pick<ActivityRow, (typeof CANCEL_COLUMNS)[number]>): Activity['cancel'] {
  const requestedAt = toDateOrNull(row.cancel_requested_at);
  return (
    requestedAt && {
      requestedAt,
      by: actorOf(row.cancel_by_id, row.cancel_by_name),
      reason: toTextOrNull(row.cancel_reason),
    }
  );
}

/** Where the body could not be stored, the line still says what went wrong. */
function errorOf(row: ActivityRow): StoredError | null {
  const message = toTextOrNull(row.error_message);
  const fallback = message === null ? null : { name: 'Error', message };
  return parseStored<StoredError | null>(toTextOrNull(row.error), fallback);
}

/** A row that something else has written may hold anything: what is shown is 0 to 100, or unknown. */
function toPercentOrNull(value: unknown): number | null {
  const percent = toNumberOrNull(value);
  return percent === null || Number.isNaN(percent) ? null : Math.min(100, Math.max(0, percent));
}

function toDate(value: unknown): Date {
  return new Date(toNumber(value));
}

function toDateOrNull(value: unknown): Date | null {
  const milliseconds = toNumberOrNull(value);
  return milliseconds === null ? null : new Date(milliseconds);
}
