import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { ActivitySettings } from '../config/activity-module.options.js';
import type { Activity, ActivityMessage } from '../model/activity.js';
import { ActivityOptionError, ActivityStoreError } from '../model/errors.js';
import type { ActivityProcess } from '../model/owner.js';
import type { WriteStats } from '../model/stats.js';
import { FINAL_STATUSES, isFinalStatus } from '../model/statuses.js';
import { ActivityHistory } from './activity-history.js';
import { storedId } from './activity-id.js';
import { KeyIsTaken, type KeyClaim, type KeyHolder } from './activity-keys.js';
import { freeSlotsOf, handOn, lookAtSlots, setLimit } from './activity-limits.js';
import { adoptPlan } from './adopt-plan.js';
import { ActivityReader } from './activity-reader.js';
import type { SlotClaim, SlotGrant, SlotLook, SlotStanding } from './activity-slots.js';
import type {
  AdoptResult,
  ActivityChanges,
  ActivityCount,
  ActivityFilter,
  ActivityPage,
  ActivityQuery,
  ActivityStore,
  CancelFact,
  CancelResult,
  CasResult,
  DurationsOf,
  ForeignChange,
  LeaseStanding,
  MessageQuery,
  NewActivity,
  NewLines,
  Ownership,
  PruneRequest,
  PruneResult,
  PutBack,
  RequestReason,
  Settlement,
  SweepOptions,
  Trim,
} from './activity-store.js';
import { writeCancelRequest, writeForcedEnd } from './cancel-request.js';
import { claimChore, keepChore } from './claim-chore.js';
import { claimPlan } from './claim-plan.js';
import type { Database } from './database.js';
import { readForeignChanges } from './foreign-changes.js';
import { lostAmong } from './lost-activities.js';
import { OwnerLease } from './owner-lease.js';
import { readProcesses } from './processes.js';
import { interruptUnrecorded, sweepOwners } from './owner-sweep.js';
import { postgresNotifications, type PostgresNotifications } from './postgres-notifications.js';
import { recentDurations } from './recent-durations.js';
import { toTextOrNull } from './sql-value.js';
import { TrackerConnection, type StoreLogger } from './tracker-connection.js';
import { WritePipeline } from './write-pipeline.js';
import {
  cancelWrite,
  grantWrite,
  insertWrite,
  limitedInsertWrite,
  linesWrite,
  putBackWrite,
  settleWrite,
  slotWrite,
  trimWrite,
  updateWrite,
} from './storable-writes.js';

/** Of a lease: how long one renewal tries again, so that it ends before the next one is due. */
const RENEWAL_PATIENCE = 0.1;
const GONE: CasResult = { won: false, status: null };

/** Activities in the app's SQLite, PostgreSQL, MariaDB or MySQL database, on a connection of the tracker's own. */
export class SqlActivityStore implements ActivityStore {
  readonly ownerId = uuid();
  readonly #leaseMs: number;
  readonly #lease: OwnerLease;
  readonly #connection: TrackerConnection;
  readonly #pipeline: WritePipeline;
  #granted: (grants: readonly SlotGrant[]) => void = () => undefined;

  /**
   * @param appDataSource  asked when the store opens: the app's data sources are all there by then.
   * @param logger  told once of an outage, of tables made again, and (debug) of idle connections that broke.
   */
  constructor(settings: ActivitySettings, appDataSource: () => DataSource | undefined, logger: StoreLogger) {
    this.#leaseMs = settings.lease;
    this.#lease = new OwnerLease(this.ownerId, settings.lease);
    this.#connection = new TrackerConnection(settings, this.#lease, { appDataSource, logger });
    this.#pipeline = new WritePipeline({
      write: async (batch, retried) => (await this.#connection.whenOpen()).write(batch, retried),
      lockedAmong: async (...these) => (await this.#connection.whenOpen()).lockedAmong(...these),
      maxWaitingWrites: settings.maxWaitingWrites,
      onGranted: (grants) => this.#granted(grants),
      remakeTables: () => this.#connection.remakeTables(),
      logger,
    });
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#pipeline.close(timeoutMs);
    await this.#connection.close();
  }

  renewLease(): Promise<LeaseStanding> {
    const patienceMs = this.#leaseMs * RENEWAL_PATIENCE;
    return this.#connection.attempt((database) => this.#lease.renew(database), { patienceMs });
  }

  lostAmong(owned: readonly (Ownership & { id: string })[]): Promise<ForeignChange[]> {
    return this.#connection.attempt(({ dataSource, entities }) => lostAmong(dataSource, entities, owned));
  }

  processes(): Promise<ActivityProcess[]> {
    return this.#connection.attempt((database) => readProcesses(database, this.ownerId));
  }

  sweep(options: SweepOptions): Promise<number> {
    return this.#connection.attempt(
      (database) => {
        const asking = { id: this.ownerId, leaseMs: this.#leaseMs, isFresh: this.#lease.isFresh };
        return sweepOwners(database, asking, options);
      },
      { patienceMs: 0 },
    );
  }

  interruptUnrecorded(ids: readonly string[]): Promise<string[]> {
    return this.#connection.attempt((database) => interruptUnrecorded(database, this.ownerId, ids), { patienceMs: 0 });
  }

  insert(activity: NewActivity): Promise<unknown> {
    try {
      const id = storedId(activity.id);
      if (id === null) throw notAnId(activity.id);
      return this.#pipeline.add(insertWrite(id, activity));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async grant(id: string, owner: Ownership, startedAt: Date): Promise<CasResult> {
    const stored = storedId(id);
    if (stored === null) return GONE;
    return ((await this.#pipeline.add(grantWrite(stored, owner, startedAt))) as CasResult | undefined) ?? GONE;
  }

  async update(id: string, owner: Ownership, changes: ActivityChanges): Promise<void> {
    const stored = storedId(id);
    if (stored !== null) await this.#pipeline.update(updateWrite(stored, owner, changes));
  }

  async markCancelling(id: string, owner: Ownership, cancel: CancelFact | null): Promise<void> {
    const stored = storedId(id);
    if (stored !== null) await this.#pipeline.add(cancelWrite(stored, owner, cancel));
  }

  async append(lines: NewLines): Promise<void> {
    const stored = storedId(lines.activityId);
    if (stored !== null) await this.#pipeline.add(linesWrite(stored, lines));
  }

  async trim(range: Trim): Promise<void> {
    const stored = storedId(range.activityId);
    if (stored !== null) await this.#pipeline.add(trimWrite(stored, range));
  }

  settle(settlement: Settlement): Promise<CasResult> {
    try {
      if (!isFinalStatus(settlement.status)) throw notFinal(settlement.status);
      const stored = storedId(settlement.id);
      if (stored === null) return Promise.resolve(GONE);
      // A batch that has landed says of each end how it went.
      return this.#pipeline.add(settleWrite(stored, settlement)) as Promise<CasResult>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async putBack(putBack: PutBack): Promise<CasResult> {
    const stored = storedId(putBack.id);
    if (stored === null) return GONE;
    return ((await this.#pipeline.add(putBackWrite(stored, putBack, putBack))) as CasResult | undefined) ?? GONE;
  }

  async adopt(id: string, { waiting = false }: { waiting?: boolean } = {}): Promise<AdoptResult> {
    const stored = storedId(id);
    if (stored === null) return { adopted: false, activity: null };
    const { ownerId } = this;
    const taken = await this.#connection.attempt((database) =>
      database.transact(adoptPlan(database, { id: stored, ownerId, waiting })),
    );
    const activity = await this.get(stored);
    if (!taken || !activity) return { adopted: false, activity };
    const { fence, lastSeq } = taken;
    return { adopted: true, activity, owner: { ownerId, fence }, lastSeq };
  }

  flush(id?: string): Promise<void> {
    return this.#pipeline.flush(id);
  }

  get isAway(): boolean {
    return this.#pipeline.isAway;
  }

  stats(): WriteStats {
    return this.#pipeline.stats();
  }

  async requestCancel(id: string, cancel: CancelFact, reason: RequestReason = 'user'): Promise<CancelResult> {
    const stored = storedId(id);
    if (stored === null) return { outcome: 'unknown' };
    let attempts = 0;
    const changed = await this.#connection.attempt((database) => {
      attempts++;
      return writeCancelRequest(database, stored, { cancel, reason });
    });
    const activity = await this.get(stored);
    if (!activity) return { outcome: 'unknown' };
    // A first attempt may have been committed, unheard: then the row has the very same request.
    const isFirst = changed || (attempts > 1 && isSameRequest(activity.cancel, cancel));
    if (isFirst) return { outcome: activity.startedAt === null ? 'cancelled' : 'requested', activity };
    if (isFinalStatus(activity.status)) return { outcome: 'settled', activity };
    return { outcome: activity.cancellable ? 'repeated' : 'refused', activity };
  }

  async forceEnd(id: string, endedAt: Date): Promise<boolean> {
    const stored = storedId(id);
    return stored !== null && (await this.#connection.attempt((database) => writeForcedEnd(database, stored, endedAt)));
  }

  foreignChanges(ids: readonly string[]): Promise<ForeignChange[]> {
    const of = { ownerId: this.ownerId, ids: ids.map(storedId).filter((id) => id !== null) };
    return this.#connection.attempt(({ dataSource, entities }) => readForeignChanges(dataSource, entities, of));
  }

  async claim(
    activity: NewActivity | Pick<NewActivity, 'id'>,
    keys: readonly KeyClaim[],
    { isWanted = () => true }: { isWanted?: () => boolean } = {},
  ): Promise<boolean> {
    const id = storedId(activity.id);
    if (id === null) throw notAnId(activity.id);
    const row = 'type' in activity ? insertWrite(id, activity).values : null;
    const createdAt = Date.now();
    return this.#connection.attempt(async (database) => {
      if (!isWanted()) throw new ActivityStoreError(`The claim of activity ${id} is not waited for any more.`);
      try {
        const writes = keys.map((key) => ({ ...key, activityId: id, createdAt }));
        await database.transact(claimPlan({ keys: writes, row }));
        return true;
      } catch (error) {
        if (!(error instanceof KeyIsTaken)) throw error;
      }
      // An attempt before this one may have been committed, unheard.
      const holders = await Promise.all(keys.map(({ hash }) => readKeyHolder(database, hash)));
      return holders.every((holder) => holder?.activityId === id);
    });
  }

  keyHolder(hash: string): Promise<KeyHolder | null> {
    return this.#connection.attempt((database) => readKeyHolder(database, hash));
  }

  enterLimit(activity: NewActivity | Pick<NewActivity, 'id'>, claim: SlotClaim): Promise<SlotStanding> {
    const id = storedId(activity.id);
    if (id === null) return Promise.reject(notAnId(activity.id));
    const { ownerId } = this;
    const write =
      'type' in activity ? limitedInsertWrite(id, activity, claim) : slotWrite('enter', id, { claim, ownerId });
    return this.#pipeline.add(write) as Promise<SlotStanding>;
  }

  async holdSlot(id: string, claim: SlotClaim): Promise<void> {
    await this.#addSlotWrite('hold', id, claim);
  }

  async leaveLimit(id: string, claim: SlotClaim): Promise<void> {
    await this.#addSlotWrite('leave', id, claim);
  }

  async #addSlotWrite(kind: 'hold' | 'leave', id: string, claim: SlotClaim): Promise<void> {
    const stored = storedId(id);
    if (stored !== null) await this.#pipeline.add(slotWrite(kind, stored, { claim, ownerId: this.ownerId }));
  }

  onGranted(listener: (grants: readonly SlotGrant[]) => void): void {
    this.#granted = listener;
  }

  slotsOf(ids: readonly string[]): Promise<SlotLook[]> {
    const stored = ids.map(storedId).filter((id) => id !== null);
    return this.#connection.attempt(({ dataSource, entities }) => lookAtSlots(dataSource, entities, stored));
  }

  setLimit(key: string, max: number | null): Promise<void> {
    return this.#atLimits((database) => setLimit(database, key, max));
  }

  handOn(keys: readonly string[]): Promise<void> {
    return this.#atLimits((database) => handOn(database, keys));
  }

  freeSlotsOf(ownerId: string): Promise<void> {
    return this.#atLimits((database) => freeSlotsOf(database, ownerId));
  }

  async #atLimits(work: (database: Database) => Promise<SlotGrant[]>): Promise<void> {
    const grants = await this.#connection.attempt(work);
    if (grants.length > 0) this.#granted(grants);
  }

  get(id: string): Promise<Activity | null> {
    return this.#read((reader) => reader.get(id));
  }

  getAll(ids: readonly string[]): Promise<Activity[]> {
    return this.#read((reader) => reader.getAll(ids));
  }

  list(query: ActivityQuery): Promise<ActivityPage> {
    return this.#read((reader) => reader.list(query));
  }

  recentDurations(of: DurationsOf): Promise<number[]> {
    return this.#connection.attempt(({ dataSource, entities }) => recentDurations(dataSource, entities, of));
  }

  count(filter: ActivityFilter): Promise<ActivityCount> {
    return this.#read((reader) => reader.count(filter));
  }

  messages(id: string, query: MessageQuery): Promise<ActivityMessage[]> {
    return this.#read((reader) => reader.messages(id, query));
  }

  async clearHistory(filter: ActivityFilter): Promise<number> {
    return (await this.#history()).clear(filter);
  }

  async prune(request: PruneRequest, signal?: AbortSignal): Promise<PruneResult> {
    return (await this.#history()).prune(request, signal);
  }

  claimChore(name: string, everyMs: number): Promise<boolean> {
    return this.#connection.attempt((database) => claimChore(database, { name, everyMs }));
  }

  keepChore(name: string, everyMs: number): Promise<void> {
    return this.#connection.attempt((database) => keepChore(database, { name, everyMs }));
  }

  /** For a bus on the same database; undefined where it is no PostgreSQL. */
  async notifications(): Promise<PostgresNotifications | undefined> {
    return postgresNotifications(await this.#connection.whenOpen());
  }

  #read<T>(read: (reader: ActivityReader) => Promise<T>): Promise<T> {
    return this.#connection.attempt(({ dataSource, entities }) => read(new ActivityReader(dataSource, entities)));
  }

  async #history(): Promise<ActivityHistory> {
    const { dataSource, entities }: Database = await this.#connection.whenOpen();
    return new ActivityHistory(dataSource, entities, (step) => this.#connection.attempt(step));
  }
}

async function readKeyHolder({ dataSource, entities }: Database, hash: string): Promise<KeyHolder | null> {
  const row = await dataSource.createQueryBuilder(entities.key, 'k').where('k.key_hash = :hash', { hash }).getOne();
  return row && { activityId: row.activity_id as string, fingerprint: toTextOrNull(row.fingerprint) };
}

function isSameRequest(stored: Activity['cancel'], { requestedAt, by, reason }: CancelFact): boolean {
  return (
    stored?.requestedAt.getTime() === requestedAt.getTime() &&
    (stored.by?.id ?? null) === (by?.id ?? null) &&
    stored.reason === reason
  );
}

function notAnId(id: unknown): ActivityOptionError {
  return new ActivityOptionError('Activity', [`\`id\` is ${JSON.stringify(id)}: it must be a UUID`]);
}

function notFinal(status: unknown): ActivityOptionError {
  return new ActivityOptionError('settle', [
    `\`status\` is ${JSON.stringify(status)}: it must be one of ${FINAL_STATUSES.join(', ')}`,
  ]);
}
