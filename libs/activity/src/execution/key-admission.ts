import type { ActivityBus } from '../bus/activity-bus.js';
import type { ActivitySettings } from '../config/activity-module.options.js';
import type { Activity } from '../model/activity.js';
import type { KeyClaim } from '../storage/activity-keys.js';
import type { ActivityStore } from '../storage/activity-store.js';
import type { KeyUser, LinePlace } from './exclusive-lines.js';
import { exclusiveOf, Exclusivity, type Exclusive } from './exclusivity.js';
import { Idempotency, onceOf, type KeyedCall, type Once } from './idempotency.js';
import type { JoinedRun } from './joined-run.js';
import { Joins } from './joins.js';
import { isStoreAway, StoreInTime } from './store-in-time.js';
import type { StoreWatch } from './store-watch.js';

/** How a call with keys begins. */
export interface KeyedStart {
  status: 'queued' | 'running';
  /** True: its row is there, with the keys. */
  recorded: boolean;
  /** True: the database did not answer, so the keys hold within this process only. */
  alone: boolean;
  /** Waits until the exclusive key is its own, or `signal` aborts. */
  wait?: (signal: AbortSignal) => Promise<void>;
}

interface Keys {
  user: KeyUser;
  once?: Once;
  exclusive?: Exclusive;
  place?: LinePlace;
}

/**
 * Takes the keys of a call. What is held in this process is known at once, and the database decides between processes:
 * a first row is written together with its keys, so no claim is ever seen without its activity, and one whose activity
 * has ended is free.
 * @see docs/decisions/0011-keys-are-claimed-with-the-first-row.md
 */
export class KeyAdmission {
  readonly #exclusivity: Exclusivity;
  readonly #idempotency: Idempotency;

  constructor(
    private readonly parts: { settings: ActivitySettings; store: ActivityStore; bus: ActivityBus; watch: StoreWatch },
  ) {
    const joins = new Joins(parts);
    this.#exclusivity = new Exclusivity(parts, joins);
    this.#idempotency = new Idempotency(parts.store, joins);
  }

  /**
   * Takes the keys, or finds the run that stands for the call.
   * @throws {ActivityConflictError}, {ActivityKeyReusedError}, {ActivityResultUnavailableError}; nothing is written then.
   */
  async enter(call: KeyedCall): Promise<KeyedStart | JoinedRun> {
    const { activity, request } = call;
    const once = onceOf(call);
    const exclusive = exclusiveOf(call);
    const here = once && (await this.#idempotency.joinHere(once, call));
    if (here) return here;
    let tellAsked!: () => void;
    const asked = new Promise<void>((resolve) => (tellAsked = resolve));
    const first = once && this.#idempotency.beFirst(once, call, asked);
    const user: KeyUser = {
      activity,
      type: activity.record.identity.type,
      onConflict: exclusive?.onConflict ?? 'reject',
      ...(request.outcome ? { outcome: request.outcome } : {}),
      asked,
      owns: false,
    };
    let place: LinePlace | undefined;
    try {
      const entered = exclusive && (await this.#exclusivity.enter(exclusive, user, request));
      if (entered && 'leave' in entered) place = entered;
      const joined = entered && 'outcome' in entered ? entered : undefined;
      const start = joined ?? (await this.#ask({ user, once, exclusive, place }, call));
      if ('outcome' in start) {
        // It has joined another, and has nothing that others could wait for.
        first?.leave();
        place?.leave();
      }
      return start;
    } finally {
      tellAsked();
    }
  }

  /** Asks the database who has the keys, and takes them with the first row, until nobody comes in between. */
  async #ask(keys: Keys, call: KeyedCall): Promise<KeyedStart | JoinedRun> {
    const { user, place } = keys;
    const inTime = new StoreInTime(this.parts.watch.patience);
    try {
      for (;;) {
        const found = await this.#claims(keys, call, inTime);
        if ('outcome' in found) return found;
        const start = this.#start(keys, call, found.elsewhere);
        if (found.claims.length === 0) return start;
        const begun = call.activity.record.beginWithKeys(start.status, found.claims, {
          isWanted: () => !inTime.isOver,
        });
        if (!(await inTime.answer(begun))) continue;
        user.owns = !start.wait;
        return { ...start, recorded: true };
      }
    } catch (error) {
      if (!isStoreAway(error)) throw error;
      user.owns = place?.state === 'held';
      return { ...this.#start(keys, call), alone: true };
    }
  }

  async #claims(
    { user, once, exclusive, place }: Keys,
    call: KeyedCall,
    inTime: StoreInTime,
  ): Promise<{ claims: KeyClaim[]; elsewhere?: Activity } | JoinedRun> {
    const claims: KeyClaim[] = [];
    if (once) {
      const past = await this.#idempotency.past(once, call, inTime);
      if ('outcome' in past) return past;
      claims.push(past);
    }
    if (!exclusive || place?.state !== 'held') return { claims };
    const found = await this.#exclusivity.possession(exclusive, user, { request: call.request, inTime });
    if ('joined' in found) return found.joined;
    if ('holder' in found) return { claims, elsewhere: found.holder };
    return { claims: [...claims, found.claim] };
  }

  #start({ user, exclusive, place }: Keys, { activity, request }: KeyedCall, elsewhere?: Activity): KeyedStart {
    const mustWait = place?.state === 'waiting' || elsewhere !== undefined;
    const wait = (signal: AbortSignal): Promise<void> =>
      this.#exclusivity.wait(exclusive!, user, { place: place!, request, signal, ...(elsewhere ? { elsewhere } : {}) });
    return {
      status: mustWait || request.options.limit || activity.signal.aborted ? 'queued' : 'running',
      recorded: false,
      alone: false,
      ...(mustWait ? { wait } : {}),
    };
  }
}
