import type { ActivityStatus } from '../model/statuses.js';
import type { KeyWrite } from './activity-keys.js';
import type { CasResult } from './activity-store.js';
import { toNumber, toNumberOrNull, type SqlValue } from './sql-value.js';
import type { MessageInsert, MessageRange } from './write.js';
import type { UpdateGroup, WriteBatch } from './write-batch.js';

/** A row as it stands, to tell a loser why, and to know one's own write again. */
export interface Standing {
  status: ActivityStatus;
  ownerId: string;
  fence: number;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
}

/** What a dialect does inside one transaction. SQLite answers at once, the servers later. */
export interface WriteSession {
  /** Leaves alone a row that is there already. */
  insertActivities(rows: readonly (readonly SqlValue[])[]): MaybePromise<void>;
  /** @returns the ids whose status was changed; of a group without a change of status it may be empty. */
  updateActivities(group: UpdateGroup): MaybePromise<ReadonlySet<string>>;
  /** Only for activities that are there, active and their owner's; leaves alone a line that is there already. */
  insertMessages(messages: readonly MessageInsert[]): MaybePromise<void>;
  deleteMessages(ranges: readonly MessageRange[]): MaybePromise<void>;
  standing(ids: readonly string[]): MaybePromise<ReadonlyMap<string, Standing>>;
  /** @returns whether this one has the key now. */
  takeKey(key: KeyWrite): MaybePromise<boolean>;
}

export type MaybePromise<T> = T | Promise<T>;
export type Step = (session: WriteSession) => MaybePromise<unknown>;
/** A transaction as a sequence of steps, so that one text of it serves the synchronous driver and the others. */
export type Plan<T> = Generator<Step, T, unknown>;
export type WritePlan = Plan<WriteOutcome>;

/** How the changes of status went, by activity. */
export interface WriteOutcome {
  grants: ReadonlyMap<string, CasResult>;
  settlements: ReadonlyMap<string, CasResult>;
}

/**
 * Inserts, then what changes on living rows, then ends.
 * @param retried  the same batch may have been committed before, unheard: who then finds its very own values has won.
 */
export function* writePlan(batch: WriteBatch, retried: boolean): WritePlan {
  if (batch.inserts.length > 0) yield (session) => session.insertActivities(batch.inserts);
  const grants = yield* changeStatus(batch.grants, retried);
  for (const group of batch.updates) yield (session) => session.updateActivities(group);
  if (batch.messages.length > 0) yield (session) => session.insertMessages(batch.messages);
  if (batch.trims.length > 0) yield (session) => session.deleteMessages(batch.trims);
  if (batch.markers.length > 0) yield (session) => session.insertMessages(batch.markers);
  for (const group of batch.marks) yield (session) => session.updateActivities(group);
  for (const group of batch.cancels) yield (session) => session.updateActivities(group);
  const settlements = yield* changeStatus(batch.settlements, retried);
  return { grants, settlements };
}

/** Takes the steps of a plan one after the other. */
export function runNow<T>(plan: Plan<T>, session: WriteSession): T {
  let step = plan.next();
  while (!step.done) step = plan.next(step.value(session));
  return step.value;
}

export async function runSteps<T>(plan: Plan<T>, session: WriteSession): Promise<T> {
  let step = plan.next();
  while (!step.done) step = plan.next(await step.value(session));
  return step.value;
}

function* changeStatus(
  groups: readonly UpdateGroup[],
  retried: boolean,
): Generator<Step, Map<string, CasResult>, unknown> {
  const results = new Map<string, CasResult>();
  for (const group of groups) {
    const changed = (yield (session) => session.updateActivities(group)) as ReadonlySet<string>;
    for (const id of changed) results.set(id, { won: true });
    const rest = group.rows.filter(({ id }) => !changed.has(id));
    if (rest.length === 0) continue;
    const ids = rest.map(({ id }) => id);
    const standing = (yield (session) => session.standing(ids)) as ReadonlyMap<string, Standing>;
    for (const row of rest) {
      const now = standing.get(row.id);
      const isOwn = retried && now !== undefined && isItsOwnDoing(group.to, row, now);
      results.set(row.id, isOwn ? { won: true } : { won: false, status: now?.status ?? null });
    }
  }
  return results;
}

function isItsOwnDoing(to: UpdateGroup['to'], row: UpdateGroup['rows'][number], now: Standing): boolean {
  if (now.ownerId !== row.ownerId || now.fence !== row.fence || row.at === undefined) return false;
  if (to === 'running') return now.startedAt === Math.max(row.at, now.createdAt);
  return now.status === to && now.endedAt === Math.max(row.at, now.startedAt ?? now.createdAt);
}

export function standingOf(row: Record<string, unknown>): Standing {
  return {
    status: row.status as ActivityStatus,
    ownerId: row.owner_id as string,
    fence: toNumber(row.fence),
    createdAt: toNumber(row.created_at),
    startedAt: toNumberOrNull(row.started_at),
    endedAt: toNumberOrNull(row.ended_at),
  };
}
