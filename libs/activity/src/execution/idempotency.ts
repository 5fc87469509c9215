import { ActivityConflictError, ActivityKeyReusedError } from '../model/key-errors.js';
import { isFinalStatus } from '../model/statuses.js';
import type { KeyClaim } from '../storage/activity-keys.js';
import type { ActivityStore } from '../storage/activity-store.js';
import type { JoinedRun } from './joined-run.js';
import type { Joins } from './joins.js';
import { factsOf } from './key-holder-facts.js';
import { idempotencyHash } from './key-hash.js';
import { possessionOf } from './key-possession.js';
import type { RunRequest } from './run-request.js';
import type { RunningActivity } from './running-activity.js';
import type { StoreInTime } from './store-in-time.js';

/** The key of one call. */
export interface Once {
  key: string;
  hash: string;
  fingerprint: string | null;
}

/** What runs in this process for a key. */
interface FirstRun {
  activity: RunningActivity;
  fingerprint: string | null;
  outcome?: Promise<unknown>;
  /** Resolves when the database has been asked for the first time: until then it may turn out not to be first. */
  asked: Promise<void>;
}

export interface KeyedCall {
  activity: RunningActivity;
  request: RunRequest;
}

export function onceOf({ activity, request }: KeyedCall): Once | undefined {
  const { asked, options } = request;
  const key = options.idempotencyKey;
  if (key === undefined || key === null) return undefined;
  const hash = idempotencyHash(activity.record.identity, { key, credentials: asked?.credentials });
  return { key, hash, fingerprint: asked?.fingerprint ?? null };
}

/**
 * `idempotencyKey`: the first call runs, and those that repeat it get what it came to. A failure is told again, since the
 * work may have done half of what it does; one that was cancelled or interrupted runs anew, since its caller has no
 * answer; what never began has done nothing, and is as if it had not been.
 * @see docs/decisions/0011-keys-are-claimed-with-the-first-row.md
 */
export class Idempotency {
  readonly #firsts = new Map<string, FirstRun>();

  constructor(
    private readonly store: ActivityStore,
    private readonly joins: Joins,
  ) {}

  /** Joins what runs in this process for the key; undefined when nothing does, and the call may be first. */
  async joinHere(once: Once, { activity, request }: KeyedCall): Promise<JoinedRun | undefined> {
    for (;;) {
      const first = this.#firsts.get(once.hash);
      if (!first) return undefined;
      if (activity.ancestorIds.includes(first.activity.id)) {
        // It would wait for itself.
        throw new ActivityConflictError(activity.record.identity.type, once.key, factsOf(first.activity));
      }
      await first.asked;
      if (this.#firsts.get(once.hash) !== first) continue;
      refuseOther(once, { activityId: first.activity.id, fingerprint: first.fingerprint });
      return this.joins.here(first, request);
    }
  }

  /** From now on others join this one. @returns a place to leave. */
  beFirst(once: Once, { activity, request }: KeyedCall, asked: Promise<void>): { leave(): void } {
    const { outcome } = request;
    const first: FirstRun = { activity, fingerprint: once.fingerprint, asked, ...(outcome ? { outcome } : {}) };
    this.#firsts.set(once.hash, first);
    const place = {
      leave: () => {
        if (this.#firsts.get(once.hash) === first) this.#firsts.delete(once.hash);
      },
    };
    activity.hold(place, { until: 'settled' });
    return place;
  }

  /** Whether the call was made before: what stands for it, or how the key is to be claimed. */
  async past(once: Once, { activity, request }: KeyedCall, inTime: StoreInTime): Promise<KeyClaim | JoinedRun> {
    const { hash, fingerprint } = once;
    const { from, other } = await possessionOf(hash, activity.id, { store: this.store, inTime });
    const claim: KeyClaim = { hash, kind: 'idempotency', fingerprint, from };
    if (!other) return claim;
    const { row } = other;
    const hasEnded = isFinalStatus(row.status);
    if (hasEnded && row.startedAt === null) return claim;
    refuseOther(once, { activityId: row.id, fingerprint: other.fingerprint });
    if (!hasEnded) return this.joins.elsewhere(row, request);
    if (row.status === 'cancelled' || row.status === 'interrupted') return claim;
    return this.joins.ended(row, request);
  }
}

function refuseOther(once: Once, found: { activityId: string; fingerprint: string | null }): void {
  if (found.fingerprint !== null && once.fingerprint !== null && found.fingerprint !== once.fingerprint) {
    throw new ActivityKeyReusedError(found.activityId, once.key);
  }
}
