import type { ActivityBus } from '../bus/activity-bus.js';
import { nextHint } from '../bus/next-hint.js';
import type { ActivitySettings } from '../config/activity-module.options.js';
import type { CheckedActivityOptions } from '../config/activity.options.js';
import type { Activity } from '../model/activity.js';
import { ActivityConflictError, type KeyHolderFacts } from '../model/key-errors.js';
import { isFinalStatus } from '../model/statuses.js';
import type { KeyClaim } from '../storage/activity-keys.js';
import type { ActivityStore } from '../storage/activity-store.js';
import { ExclusiveLines, type KeyUser, type LinePlace } from './exclusive-lines.js';
import type { KeyedCall } from './idempotency.js';
import type { JoinedRun } from './joined-run.js';
import { POLL_MS, type Joins } from './joins.js';
import { aloneText, factsOf, factsOfRow, waitingText } from './key-holder-facts.js';
import { exclusiveHash } from './key-hash.js';
import { possessionOf } from './key-possession.js';
import type { RunRequest } from './run-request.js';
import { isStoreAway, StoreInTime } from './store-in-time.js';
import { supersede, supersedeElsewhere } from './supersede.js';
import { untilAborted } from './until-aborted.js';

/** The exclusive key of one call. */
export type Exclusive = NonNullable<CheckedActivityOptions['exclusive']> & { hash: string };

interface ExclusivityParts {
  settings: ActivitySettings;
  store: ActivityStore;
  bus: ActivityBus;
}

export function exclusiveOf({ activity, request }: KeyedCall): Exclusive | undefined {
  const { exclusive } = request.options;
  return exclusive ? { ...exclusive, hash: exclusiveHash(activity.record.identity, exclusive.key) } : undefined;
}

/** `exclusive`: one at a time has a key, first in this process, then in the database, which decides between processes. */
export class Exclusivity {
  readonly #lines = new ExclusiveLines();

  constructor(
    private readonly parts: ExclusivityParts,
    private readonly joins: Joins,
  ) {}

  /**
   * A place in this process's line; or what stands for the call. Synchronous, but where the holder's own question to the
   * database has to be waited for.
   * @throws {ActivityConflictError}
   */
  async enter(exclusive: Exclusive, user: KeyUser, request: RunRequest): Promise<LinePlace | JoinedRun> {
    const { hash, onConflict } = exclusive;
    const { activity } = user;
    for (;;) {
      const holder = this.#lines.heldAgainst(hash, activity);
      if (holder && (onConflict === 'reject' || onConflict === 'join')) {
        await holder.asked;
        if (this.#lines.heldAgainst(hash, activity) !== holder) continue;
        const facts = await this.#factsOf(holder, hash);
        if (onConflict === 'join' && facts.type === user.type) return this.joins.here(holder, request);
        throw new ActivityConflictError(user.type, exclusive.key, facts);
      }
      if (holder && onConflict === 'supersede') {
        for (const old of [...this.#lines.superseders(hash), holder.activity]) supersede(old, activity);
      }
      const place = this.#lines.enter(hash, user, { ahead: onConflict === 'supersede' });
      activity.hold(place, { until: 'settled' });
      return place;
    }
  }

  /**
   * How the key is to be claimed by the first one of this process, what stands for the call, or whom it waits for.
   * @throws {ActivityConflictError}
   */
  async possession(
    exclusive: Exclusive,
    user: KeyUser,
    { request, inTime }: { request: RunRequest; inTime: StoreInTime },
  ): Promise<{ claim: KeyClaim } | { joined: JoinedRun } | { holder: Activity }> {
    const found = await this.#ask(exclusive.hash, user, inTime);
    if ('claim' in found) return found;
    const { holder } = found;
    if (exclusive.onConflict === 'join' && holder.type === user.type) {
      return { joined: this.joins.elsewhere(holder, request) };
    }
    if (exclusive.onConflict === 'queue' || exclusive.onConflict === 'supersede') return found;
    throw new ActivityConflictError(user.type, exclusive.key, factsOfRow(holder));
  }

  /**
   * Waits in this process's line, then for the holder of another process; resolves when the key is its own, or `signal`
   * aborts.
   * @param options.elsewhere  the holder of another process, where that is known.
   * @throws {ActivityStoreError} when the database does not answer and the policy is `reject`.
   */
  async wait(
    exclusive: Exclusive,
    user: KeyUser,
    options: { place: LinePlace; request: RunRequest; elsewhere?: Activity; signal: AbortSignal },
  ): Promise<void> {
    const { key, hash } = exclusive;
    const { place, request, signal, elsewhere } = options;
    if (place.state === 'waiting') {
      const holder = this.#lines.heldAgainst(hash, user.activity);
      if (holder) user.activity.record.message('info', waitingText(key, factsOf(holder.activity)), 'activity');
      await untilAborted(place.whenHeld, signal).catch(() => undefined);
    }
    try {
      await this.#waitElsewhere(exclusive, user, { elsewhere, signal });
    } catch (error) {
      if (signal.aborted) return;
      const { onStoreFailure = this.parts.settings.onStoreFailure } = request.options;
      if (!isStoreAway(error) || onStoreFailure === 'reject') throw error;
      user.activity.record.message('warn', aloneText(key), 'activity');
    }
    user.owns = true;
  }

  async #waitElsewhere(
    exclusive: Exclusive,
    user: KeyUser,
    { elsewhere, signal }: { elsewhere?: Activity; signal: AbortSignal },
  ): Promise<void> {
    const { store, bus, settings } = this.parts;
    let told: string | undefined;
    const waitFor = (holder: Activity): Promise<void> => {
      if (told !== holder.id) {
        user.activity.record.message('info', waitingText(exclusive.key, factsOfRow(holder)), 'activity');
        if (exclusive.onConflict === 'supersede') supersedeElsewhere(holder, user.activity, this.parts);
      }
      told = holder.id;
      bus.want(holder.id);
      return nextHint(holder.id, bus, { withinMs: POLL_MS, signal });
    };
    if (elsewhere) await waitFor(elsewhere);
    while (!signal.aborted) {
      const inTime = new StoreInTime(settings.startTimeout);
      const found = await this.#ask(exclusive.hash, user, inTime);
      if ('holder' in found) {
        await waitFor(found.holder);
        continue;
      }
      const isWanted = () => !inTime.isOver && !signal.aborted;
      if (await inTime.answer(store.claim({ id: user.activity.id }, [found.claim], { isWanted }))) return;
    }
  }

  async #ask(
    hash: string,
    { activity }: KeyUser,
    inTime: StoreInTime,
  ): Promise<{ claim: KeyClaim } | { holder: Activity }> {
    const { from, other } = await possessionOf(hash, activity.id, { store: this.parts.store, inTime });
    if (other && !isFinalStatus(other.row.status)) return { holder: other.row };
    return { claim: { hash, kind: 'exclusive', fingerprint: null, from } };
  }

  /** Of one that waits for another process itself, the database knows better. */
  async #factsOf(holder: KeyUser, hash: string): Promise<KeyHolderFacts> {
    if (holder.owns) return factsOf(holder.activity);
    const inTime = new StoreInTime(this.parts.settings.startTimeout);
    const found = await this.#ask(hash, holder, inTime).catch(() => undefined);
    return found && 'holder' in found ? factsOfRow(found.holder) : factsOf(holder.activity);
  }
}
