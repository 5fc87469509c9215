import type {
  Activity,
  ActivityMessage,
  ActivitySummary,
  ActivityStep,
  Actor,
  Json,
  JsonObject,
  MessageLevel,
  Progress,
  StoredError,
} from '../model/activity.js';
import type { CheckedRetentionRule } from '../config/retention.options.js';
import type { KeyClaim, KeyHolder } from './activity-keys.js';
import type { SlotClaim, SlotGrant, SlotLook, SlotStanding } from './activity-slots.js';
import type { ActivityOwner, ActivityProcess } from '../model/owner.js';
import type { WriteStats } from '../model/stats.js';
import type { AbortReason, ActivityReason } from '../model/reasons.js';
import type { ActivitySort } from '../model/sorts.js';
import type { ActivityStatus, FinalStatus } from '../model/statuses.js';

/**
 * Owns what waits in a queue outside of the database: it belongs to no process, so no process's death ends it. Not the id
 * of any process, which is a UUID.
 */
export const QUEUE_OWNER = 'queue';

/** Names the owner of a row: each of its writes carries both, so one that lost the activity changes nothing. */
export interface Ownership {
  ownerId: string;
  fence: number;
}

/** What is known of an activity from its start on, and does not change. */
export type ActivityIdentity = Pick<
  Activity,
  | 'id'
  | 'scope'
  | 'type'
  | 'title'
  | 'resource'
  | 'actor'
  | 'batchId'
  | 'parentId'
  | 'cancellable'
  | 'origin'
  | 'limitKey'
  | 'job'
  | 'metadata'
  | 'createdAt'
>;

/** How a renewal has found the lease: as it was left; or gone, or with activities taken from this process meanwhile. */
export type LeaseStanding = 'kept' | 'taken';

export interface SweepOptions {
  /** Told of each step, when it is durable: which activities were ended, and what process had left them behind. */
  onInterrupted: (step: { owner: ActivityOwner; ids: readonly string[] }) => void;
  /** Stops between two steps. */
  signal?: AbortSignal;
}

/** A row as it is first written. */
export interface NewActivity extends ActivityIdentity, Ownership {
  status: 'queued' | 'running';
  startedAt: Date | null;
}

/** What the owner says of its activity between start and end; what is left out stays as it is. */
export interface ActivityChanges {
  progress?: Partial<Progress>;
  expectedEndAt?: Date | null;
  steps?: { items: readonly ActivityStep[]; omitted: number };
  step?: string | null;
  criticalSection?: string | null;
  latestMessage?: string | null;
  messageCount?: number;
  warningCount?: number;
  errorCount?: number;
  droppedMessageCount?: number;
  metadata?: JsonObject;
}

/** A cancel as it stands on the row. */
export interface CancelFact {
  requestedAt: Date;
  by: Actor | null;
  reason: string | null;
}

export interface Settlement extends Ownership {
  id: string;
  status: FinalStatus;
  reason: ActivityReason | null;
  endedAt: Date;
  error: StoredError | null;
  /** Left out: nothing is kept. */
  result?: Json;
  /** The last word on progress, step, counts and metadata, written in the same statement. */
  changes: ActivityChanges;
  /** Written where the row has none yet: the store may have been away when the cancel was asked for. */
  cancel?: CancelFact;
}

/** What an activity leaves behind that waits for another attempt. */
export interface PutBack extends Ownership {
  id: string;
  /** With the one that it waits for. */
  attempts: number;
  at: Date;
  /** The last counts, newest line and metadata; progress and steps are the attempt's own, and cleared. */
  changes: ActivityChanges;
}

/** An activity that was taken over: how it stands, and how its new owner goes on. */
export interface Adoption {
  activity: Activity;
  /** As whom its new owner writes. */
  owner: Ownership;
  /** Of its log: the last line that was durable. */
  lastSeq: number;
}

/** Where it was not taken: how it stands, null for one that is unknown. */
export type AdoptResult = ({ adopted: true } & Adoption) | { adopted: false; activity: Activity | null };

export type NewLine = Omit<ActivityMessage, 'activityId'>;

/** Lines of one activity, written by its owner, in the order of their `seq`. */
export interface NewLines extends Ownership {
  activityId: string;
  lines: readonly NewLine[];
}

/** A range of the log that the cap leaves out; `marker` stands in its place, with the range's last `seq`. */
export interface Trim extends Ownership {
  activityId: string;
  fromSeq: number;
  toSeq: number;
  marker: NewLine;
}

/** Whether a compare-and-set was first. A loser learns the present status; null: the row is gone. */
export type CasResult = { won: true } | { won: false; status: ActivityStatus | null };

/** Who has asked decides what the row says: somebody, or a newer activity in its favour. */
export type RequestReason = Extract<AbortReason, 'user' | 'superseded'>;

export type CancelResult =
  /** `requested`: this call was first. `repeated`: one before it was. `cancelled`: it had been waiting, and has ended. */
  | { outcome: 'requested' | 'repeated' | 'cancelled'; activity: Activity }
  /** `settled`: too late. `refused`: not cancellable. */
  | { outcome: 'settled' | 'refused'; activity: Activity }
  | { outcome: 'unknown' };

/** How a row stands that another process has changed. */
export type ForeignEnd = Pick<Activity, 'status' | 'reason' | 'cancel'>;

/** What others have done to an activity of this process. `reason` of one that is to stop: `superseded`, else null. */
export interface ForeignChange extends ForeignEnd {
  id: string;
}

/** Which activities; all that is given must hold, a list means any of it. Undefined is left out, null is IS NULL. */
export interface ActivityFilter {
  status?: ActivityStatus | readonly ActivityStatus[];
  type?: string | readonly string[];
  scope?: string | readonly string[];
  resourceType?: string;
  resourceId?: string;
  actorId?: string | null;
  batchId?: string | null;
  parentId?: string | null;
  /** From this time on, by creation. */
  createdFrom?: Date;
  /** Before this time, by creation. */
  createdBefore?: Date;
}

export interface ActivityQuery extends ActivityFilter {
  /** 1–200, default 50. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
  /**
   * Text that occurs in the title, the type, the name or id of the resource, the name or id of the actor, the step, the
   * newest line or the error: 1–200 characters, small and capital letters of ASCII alike.
   */
  search?: string;
  /**
   * Default `-created`, newest first, for all there are. The others put the newest 20,000 activities in order, by
   * creation and as the filters leave them: what ended last or ran longest first, what has not ended last; or by type or
   * status, A to Z. Equals are newest first. `cursor` goes with the order of its page.
   */
  sort?: ActivitySort;
}

/**
 * One page. In the order of creation, each row comes once, whatever is written meanwhile; in another order, each that does
 * not change meanwhile.
 * No list looks at more than 20,000 rows, whatever the table has: one condition (a parent, batch, resource, actor, scope
 * that is not `default`, type or status) is followed along its index, and what further conditions or a search leave out
 * of these rows counts too. Where that ends a page, it may be short or empty, and `nextCursor` goes on.
 */
export interface ActivityPage {
  items: ActivitySummary[];
  /** Null on the last page. */
  nextCursor: string | null;
  /** The creation time down to which was looked, where older ones were left out; else null. */
  searchedTo: Date | null;
}

/** What kind of activity, and whose. */
export interface DurationsOf {
  type: string;
  scope: string;
}

/** How many; exact up to 10,000. */
export interface ActivityCount {
  count: number;
  /** False: there may be more. Nobody has counted them all, nor looked at more than 20,000 for several conditions. */
  isExact: boolean;
}

export interface MessageQuery {
  /** Lines after this `seq`. Default 0: from the start. */
  after?: number;
  /** 1–1,000, default 200. */
  limit?: number;
  level?: readonly MessageLevel[];
}

export interface PruneRequest {
  /** The first that fits an activity decides. */
  rules: readonly CheckedRetentionRule[];
  /** From where ages are counted. */
  now: Date;
  /** Milliseconds; what is younger stays, whatever the rules say. */
  minAge: number;
  /** Counts what would go, deletes nothing. */
  dryRun?: boolean;
}

/** What went, or would go. */
export interface PruneResult {
  activities: number;
  /** Lines of their logs. */
  messages: number;
  /** The same by scope and rule (its place in the option `rules`; null for all that no rule fits). */
  by: { scope: string; rule: number | null; activities: number; messages: number }[];
}

/**
 * Where activities are kept: one implementation over SQL, for SQLite, PostgreSQL and MariaDB.
 * The writes of an owner (`insert` … `settle`) are grouped into batches; each promise resolves when its row is durable,
 * and the writes of one activity keep their order. Statuses are written by compare-and-set.
 * A write that the database refuses for good rejects with `ActivityStoreError`; one that it cannot take now is kept and
 * tried again until it lands or the store is closed, so give a wait a bound of your own.
 */
export interface ActivityStore {
  /** This process, as rows name it. */
  readonly ownerId: string;
  /** Connects, brings the schema up (or checks it) and takes the lease. Repeated calls share one promise. */
  open(): Promise<void>;
  /** Writes what is waiting (for at most `timeoutMs`), gives the lease back, closes the connection. */
  close(timeoutMs: number): Promise<void>;
  /**
   * Says that this process lives: one statement, however much it runs. Not tried again for long: the next one comes soon.
   * @returns `taken` when other processes have heard nothing for so long that they may have ended activities of this one;
   *   the lease is its own again then, and `lostAmong` tells which.
   */
  renewLease(): Promise<LeaseStanding>;
  /** Which of these others have ended or taken. A row that has not been written yet is not among them. */
  lostAmong(owned: readonly (Ownership & { id: string })[]): Promise<ForeignChange[]>;

  /** All processes that have a lease, or have left activities behind. */
  processes(): Promise<ActivityProcess[]>;
  /**
   * Ends as `interrupted` (`owner_lost`) what processes have left behind that nobody has heard of for a lease. Any number
   * of processes may do so at once. Nothing is tried again: the next look will.
   * @returns milliseconds until that is worth it; Infinity where there is nobody else.
   */
  sweep(options: SweepOptions): Promise<number>;
  /**
   * Ends likewise activities of this process whose own end was refused for good.
   * @returns which were still active.
   */
  interruptUnrecorded(ids: readonly string[]): Promise<string[]>;

  insert(activity: NewActivity): Promise<unknown>;
  /** `queued → running`. */
  grant(id: string, owner: Ownership, startedAt: Date): Promise<CasResult>;
  /** Only while the activity is active; the newest value wins where several wait. */
  update(id: string, owner: Ownership, changes: ActivityChanges): Promise<void>;
  /** `running → cancelling` by its owner, with who, when and why where somebody has asked for it. */
  markCancelling(id: string, owner: Ownership, cancel: CancelFact | null): Promise<void>;
  append(lines: NewLines): Promise<void>;
  trim(range: Trim): Promise<void>;
  settle(settlement: Settlement): Promise<CasResult>;
  /**
   * `running → queued`, for another attempt: it belongs to no process then, but to the queue that hands it out. One that
   * somebody has asked to stop is not put back.
   */
  putBack(putBack: PutBack): Promise<CasResult>;
  /**
   * Makes an active one this process's own, whosever it was, with a higher fence: for one who knows that its owner does
   * not work on it. It is `queued` then, as a new attempt where its work had been begun; one that is being stopped stays
   * so. Its lines go on after the last that was durable.
   * @param options.waiting  only one that a queue has, which nobody has taken yet.
   */
  adopt(id: string, options?: { waiting?: boolean }): Promise<AdoptResult>;
  /**
   * Resolves when everything given before has been written or given up.
   * @param id  only of this activity is also waited for what a lock of somebody else keeps from being written.
   */
  flush(id?: string): Promise<void>;
  /** True once writes have failed for about a second, until what has waited since is nearly written. */
  readonly isAway: boolean;
  /** How the writing goes. */
  stats(): WriteStats;

  /** By anyone, not only by the owner: `queued → cancelled`, `running → cancelling`, with who, when and why. */
  requestCancel(id: string, cancel: CancelFact, reason?: RequestReason): Promise<CancelResult>;
  /** By anyone: a running one that has been asked to stop is ended as `cancelled`, reason `forced`. False: it was not. */
  forceEnd(id: string, endedAt: Date): Promise<boolean>;
  /** Which activities of this process somebody has asked to stop, and which of `ids` have ended. One statement. */
  foreignChanges(ids: readonly string[]): Promise<ForeignChange[]>;

  /**
   * Takes keys for an activity and, where `activity` is given whole, writes its first row with them: all or nothing.
   * @param options.isWanted  asked before each attempt; once it says no, nothing more is tried.
   * @returns false when somebody else has been quicker with one of the keys.
   */
  claim(
    activity: NewActivity | Pick<NewActivity, 'id'>,
    keys: readonly KeyClaim[],
    options?: { isWanted?: () => boolean },
  ): Promise<boolean>;
  /** Who claimed a key last; null where nobody did. */
  keyHolder(hash: string): Promise<KeyHolder | null>;

  /**
   * Comes to the line of a limit that counts in all processes, and takes a slot at once where one is free. Where
   * `activity` is given whole, its first row is written too, in the same transaction, as its place in the line says.
   */
  enterLimit(activity: NewActivity | Pick<NewActivity, 'id'>, claim: SlotClaim): Promise<SlotStanding>;
  /** Of one that runs without having been given a slot: it takes one, though there may be none. */
  holdSlot(id: string, claim: SlotClaim): Promise<void>;
  /** Gives the slot, or the place in line, back; the slot goes to whose turn it is in the same transaction. */
  leaveLimit(id: string, claim: SlotClaim): Promise<void>;
  /** `listener` is told of slots that this process has handed to those who had waited for them, in any process. */
  onGranted(listener: (grants: readonly SlotGrant[]) => void): void;
  /** How each of these stands at its limit; of one that has no place there is nothing. */
  slotsOf(ids: readonly string[]): Promise<SlotLook[]>;
  /** How many run at once from now on, whatever the calls say; null: what they say. */
  setLimit(key: string, max: number | null): Promise<void>;
  /** Hands on what is free though somebody waits for it. */
  handOn(keys: readonly string[]): Promise<void>;
  /** Takes all slots and places from a process that is taken to be dead. */
  freeSlotsOf(ownerId: string): Promise<void>;

  /** Null for an id that is unknown or not an id at all. */
  get(id: string): Promise<Activity | null>;
  /** Those that are there, in any order. */
  getAll(ids: readonly string[]): Promise<Activity[]>;
  /** @throws {ActivityQueryError} for a value or cursor that is not allowed. */
  list(query: ActivityQuery): Promise<ActivityPage>;
  /** Milliseconds that the newest successes of a type and scope ran, 50 at most. */
  recentDurations(of: DurationsOf): Promise<number[]>;
  /** @throws {ActivityQueryError} for a value that is not allowed. */
  count(filter: ActivityFilter): Promise<ActivityCount>;
  /** Lines in the order of `seq`. */
  messages(id: string, query: MessageQuery): Promise<ActivityMessage[]>;
  /** Deletes ended activities and their messages, in small steps; active ones are never taken. */
  clearHistory(filter: ActivityFilter): Promise<number>;
  /** In small steps with pauses, so that one who is stopped half-way has lost nothing. */
  prune(request: PruneRequest, signal?: AbortSignal): Promise<PruneResult>;
  /**
   * Whether it is time for what is to be done once every `everyMs` by one process of all, by the database's clock. Who is
   * told so is the only one; should it die half-way, it is another's turn next time.
   */
  claimChore(name: string, everyMs: number): Promise<boolean>;
  /** By who was told so and is not done yet: for another `everyMs` it is nobody else's turn. */
  keepChore(name: string, everyMs: number): Promise<void>;
}
