import type { ActivityStatus } from '../model/statuses.js';
import type { KeyWrite } from './activity-keys.js';
import type { SlotGrant, SlotStanding } from './activity-slots.js';
import { QUEUE_OWNER, type CasResult } from './activity-store.js';
import { toNumber, toNumberOrNull, type SqlValue } from './sql-value.js';
import type { LinesInsert, MessageRange } from './write.js';
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
  insertMessages(messages: readonly LinesInsert[]): MaybePromise<void>;
  deleteMessages(ranges: readonly MessageRange[]): MaybePromise<void>;
  standing(ids: readonly string[]): MaybePromise<ReadonlyMap<string, Standing>>;
  /** @returns whether this one has the key now. */
  takeKey(key: KeyWrite): MaybePromise<boolean>;
  /** A statement with `?` for each value. @returns its rows. */
  select(sql: string, values: readonly SqlValue[]): MaybePromise<Record<string, unknown>[]>;
  /** The same of one that changes rows. @returns how many: to be trusted where each is really changed. */
  execute(sql: string, values: readonly SqlValue[]): MaybePromise<number>;
}

export type MaybePromise<T> = T | Promise<T>;
export type Step = (session: WriteSession) => MaybePromise<unknown>;
/** A transaction as a sequence of steps, so that one text of it serves the synchronous driver and the others. */
export type Plan<T> = Generator<Step, T, unknown>;

/** A statement of so few values has one of a few forms: worth to be prepared once. */
export const FEW_VALUES = 8;

/** What has come of the work on limits. */
export interface SlotOutcome {
  /** Of those that came, by id. */
  standings: Map<string, SlotStanding>;
  /** Of those that had waited. */
  grants: SlotGrant[];
  /** First rows of those that came, as they are to be written. */
  rows: (readonly SqlValue[])[];
  /** What is left to be done in the transaction, with all else. */
  steps: Step[];
}

/** How the changes of status went, by activity. */
export interface WriteOutcome {
  /** Undefined where nothing was done at limits. */
  slots?: SlotOutcome | undefined;
  grants: ReadonlyMap<string, CasResult>;
  putBacks: ReadonlyMap<string, CasResult>;
  settlements: ReadonlyMap<string, CasResult>;
}

/**
 * What the transaction of a batch does: inserts, then what changes on living rows, then ends. No step needs what another
 * gives, so all of them may be sent at once.
 */
export class WritePlan {
  readonly steps: readonly Step[];
  readonly #grants: StatusChanges;
  readonly #putBacks: StatusChanges;
  readonly #settlements: StatusChanges;
  readonly #slots: SlotOutcome | undefined;

  /**
   * @param retried  the same batch may have been committed before, unheard: who then finds its very own values has won.
   * @param slots  what has been done at limits, earlier in the same transaction.
   */
  constructor(batch: WriteBatch, retried: boolean, slots?: SlotOutcome) {
    this.#slots = slots;
    const steps: Step[] = slots ? [...slots.steps] : [];
    const inserts = slots ? [...batch.inserts, ...slots.rows] : batch.inserts;
    const update = (group: UpdateGroup) => void steps.push((session) => session.updateActivities(group));
    if (inserts.length > 0) steps.push((session) => session.insertActivities(inserts));
    this.#grants = new StatusChanges(batch.grants, steps.length, retried);
    for (const group of batch.grants) update(group);
    for (const group of batch.updates) update(group);
    if (batch.messages.length > 0) steps.push((session) => session.insertMessages(batch.messages));
    if (batch.trims.length > 0) steps.push((session) => session.deleteMessages(batch.trims));
    if (batch.markers.length > 0) steps.push((session) => session.insertMessages(batch.markers));
    for (const group of batch.marks) update(group);
    for (const group of batch.cancels) update(group);
    this.#putBacks = new StatusChanges(batch.putBacks, steps.length, retried);
    for (const group of batch.putBacks) update(group);
    this.#settlements = new StatusChanges(batch.settlements, steps.length, retried);
    for (const group of batch.settlements) update(group);
    this.steps = steps;
  }

  /** Activities whose change of status was not made: how they stand is to be looked up. Most often none. */
  unchanged(results: readonly unknown[]): string[] {
    return [this.#grants, this.#putBacks, this.#settlements].flatMap((changes) => changes.unchanged(results));
  }

  outcome(results: readonly unknown[], standing: ReadonlyMap<string, Standing>): WriteOutcome {
    return {
      slots: this.#slots,
      grants: this.#grants.outcome(results, standing),
      putBacks: this.#putBacks.outcome(results, standing),
      settlements: this.#settlements.outcome(results, standing),
    };
  }
}

/** The groups of one kind of change, and the place among the steps where they begin. */
class StatusChanges {
  constructor(
    private readonly groups: readonly UpdateGroup[],
    private readonly firstStep: number,
    private readonly retried: boolean,
  ) {}

  unchanged(results: readonly unknown[]): string[] {
    return this.groups.flatMap(({ rows }, place) => {
      const changed = this.#changed(results, place);
      return changed.size === rows.length ? [] : rows.filter(({ id }) => !changed.has(id)).map(({ id }) => id);
    });
  }

  outcome(results: readonly unknown[], standing: ReadonlyMap<string, Standing>): Map<string, CasResult> {
    const outcome = new Map<string, CasResult>();
    for (const [place, { rows, to }] of this.groups.entries()) {
      const changed = this.#changed(results, place);
      for (const row of rows)
        outcome.set(row.id, changed.has(row.id) ? WON : this.#lost(to, row, standing.get(row.id)));
    }
    return outcome;
  }

  #changed(results: readonly unknown[], place: number): ReadonlySet<string> {
    return results[this.firstStep + place] as ReadonlySet<string>;
  }

  #lost(to: UpdateGroup['to'], row: UpdateGroup['rows'][number], now: Standing | undefined): CasResult {
    if (this.retried && now !== undefined && isItsOwnDoing(to, row, now)) return WON;
    return { won: false, status: now?.status ?? null };
  }
}

const WON: CasResult = Object.freeze({ won: true });
export const NOBODY: ReadonlyMap<string, Standing> = new Map();

/** Takes the steps of a plan one after the other. */
export function runNow<T>(plan: Plan<T>, session: WriteSession): T {
  let step = plan.next();
  while (!step.done) step = plan.next(step.value(session));
  return step.value;
}

/** @param given  what the step gave that was taken last; left out: none was. */
export async function runSteps<T>(plan: Plan<T>, session: WriteSession, ...given: [unknown?]): Promise<T> {
  let step = plan.next(...given);
  while (!step.done) step = plan.next(await step.value(session));
  return step.value;
}

function isItsOwnDoing(to: UpdateGroup['to'], row: UpdateGroup['rows'][number], now: Standing): boolean {
  if (to === 'queued') return now.status === to && now.ownerId === QUEUE_OWNER && now.fence === row.fence;
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
