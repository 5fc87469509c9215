import { isFinalStatus } from '../model/statuses.js';
import { byTurn, nextTurn, placeInLine, turnOfComer, type Turns, type WaitingScope } from '../model/scope-turns.js';
import { allOf, ask, mapped, type Question } from './plan-questions.js';
import type { HeadRow, LimitRow, NewSlot, SlotRow, SlotSql } from './slot-sql.js';
import type { KeyWork, SlotEntry } from './slot-work.js';
import { startedRow } from './write.js';
import type { Plan, SlotOutcome } from './write-plan.js';

interface Found {
  /** Of those that come, run or leave, what was there before. */
  rows: SlotRow[];
  held: number;
  heads: HeadRow[];
}

/** A scope that waits, with its first in line. */
interface Waiting extends WaitingScope {
  first: Pick<HeadRow, 'activityId' | 'ownerId'>;
}

/**
 * What is done at limits in one transaction: some leave, some come, and free slots go to those whose turn it is. All of
 * it under a lock of the limit's row, so that each process sees what those before it have left; the locks are all taken
 * before the first plain read, since on MariaDB a transaction goes on to see what was there then.
 * A slot is never free while somebody waits for it: whoever frees it hands it on.
 * @param retried  it may have been committed before.
 */
export function* slotPlan(sql: SlotSql, work: readonly KeyWork[], retried: boolean): Plan<SlotOutcome> {
  const outcome: SlotOutcome = { standings: new Map(), grants: [], rows: [], steps: [] };
  const reads = work.map((key) => reading(sql, key, retried));
  const [limits, found] = yield* ask(allOf([allOf(work.map(({ hash }) => sql.lock(hash))), allOf(reads)]));
  for (const [place, key] of work.entries()) {
    const limit = limits[place] ?? (yield* madeLimit(sql, key));
    if (!limit) continue;
    // What was read before there was a limit was read without its lock.
    const state = limits[place] ? found[place]! : yield* ask(reads[place]!);
    yield* new LimitLine(sql, { key, limit, found: state, outcome }).arrange();
  }
  return outcome;
}

function reading(sql: SlotSql, { hash, entries, holds, leaves }: KeyWork, retried: boolean): Question<Found> {
  const old = [...leaves, ...holds.map(({ id }) => id)];
  for (const { id, row } of entries) if (retried || !row) old.push(id);
  const questions = allOf([sql.rowsOf(old), sql.delete(leaves), sql.heldCount(hash), sql.heads(hash)]);
  return mapped(questions, ([rows, , held, heads]) => ({ rows: rows.flat(), held, heads }));
}

/** A key that nobody has used before; undefined where there is nothing to do for it. */
function* madeLimit(sql: SlotSql, { hash, key, entries, holds, setMax }: KeyWork): Plan<LimitRow | undefined> {
  const max = [...entries, ...holds].at(-1)?.claim.max ?? setMax;
  if (key === undefined || max === undefined || max === null) return undefined;
  const [, limit] = yield* ask(allOf([sql.make(hash, key, max), sql.lock(hash)]));
  return limit;
}

/** The line of one limit, while its lock is held. */
class LimitLine {
  readonly #sql: SlotSql;
  readonly #work: KeyWork;
  readonly #rows: ReadonlyMap<string, SlotRow>;
  readonly #outcome: SlotOutcome;
  readonly #limit: Omit<LimitRow, 'now'>;
  readonly #before: string;
  readonly #now: number;
  readonly #scopes = new Map<string, Waiting>();
  /** Of this batch, in their order. */
  readonly #comers = new Map<string, SlotEntry>();
  readonly #newSlots: NewSlot[] = [];
  readonly #leaving: ReadonlySet<string>;
  readonly #running: ReadonlySet<string>;
  #held: number;
  #pending: Question<unknown>[] = [];

  constructor(
    sql: SlotSql,
    { key, limit, found, outcome }: { key: KeyWork; limit: LimitRow; found: Found; outcome: SlotOutcome },
  ) {
    const { now, ...kept } = limit;
    this.#sql = sql;
    this.#work = key;
    this.#rows = new Map(found.rows.map((row) => [row.activityId, row]));
    this.#outcome = outcome;
    this.#limit = kept;
    this.#before = JSON.stringify(kept);
    this.#now = now;
    this.#held = found.held;
    this.#leaving = new Set(key.leaves);
    this.#running = new Set(key.holds.map(({ id }) => id));
    for (const head of found.heads) this.#first(head);
  }

  *arrange(): Plan<void> {
    this.#changeMax();
    for (const id of this.#leaving) yield* this.#left(id);
    for (const entry of this.#work.entries) this.#come(entry);
    for (const hold of this.#work.holds) if (!this.#comers.has(hold.id)) yield* this.#hold(hold);
    if (this.#newSlots.length > 0) this.#pending.push(this.#sql.insert(this.#newSlots));
    while (this.#held < this.#max && this.#scopes.size > 0) yield* this.#handOn();
    yield* this.#tellPlaces();
    for (const { id, row } of this.#work.entries) {
      if (row) this.#outcome.rows.push(this.#outcome.standings.get(id)?.state === 'started' ? startedRow(row) : row);
    }
    if (JSON.stringify(this.#limit) !== this.#before) this.#pending.push(this.#sql.save(this.#work.hash, this.#limit));
    this.#outcome.steps.push(...this.#pending);
  }

  get #max(): number {
    return this.#limit.setMax ?? this.#limit.max;
  }

  get #turns(): Turns {
    return this.#limit;
  }

  #changeMax(): void {
    const { entries, setMax } = this.#work;
    const newest = entries.at(-1)?.claim.max;
    if (newest !== undefined) this.#limit.max = newest;
    if (setMax !== undefined) this.#limit.setMax = setMax;
  }

  /** Who was the first of its scope leaves its turn to the next. */
  *#left(id: string): Plan<void> {
    const row = this.#rows.get(id);
    if (!row || row.isHeld || row.turn === null) return;
    yield* this.#follow(row.scope, row.turn);
  }

  #come(entry: SlotEntry): void {
    const { id, ownerId, claim } = entry;
    const { scope } = claim;
    this.#comers.set(id, entry);
    if (this.#leaving.has(id)) return this.#comeAndGo(id);
    if (this.#rows.has(id)) return this.#comeAgain(id);
    const slot = { activityId: id, hash: this.#work.hash, scope, ownerId, enteredAt: this.#now, turn: null };
    const isFree = this.#scopes.size === 0 && this.#held < this.#max;
    if (this.#running.has(id) || (isFree && entry.row)) {
      this.#held++;
      this.#newSlots.push({ ...slot, place: 0, heldAt: this.#now });
      this.#stand(id, 'started');
      return;
    }
    const place = ++this.#limit.arrivals;
    const isFirst = !this.#scopes.has(scope);
    if (this.#scopes.size === 0) this.#limit.lastScope = null;
    const turn = isFirst ? turnOfComer(scope, this.#turns) : null;
    this.#newSlots.push({ ...slot, place, turn, heldAt: null });
    if (turn !== null) this.#first({ activityId: id, ownerId, scope, turn, place });
  }

  /** It has ended before its start could be written. */
  #comeAndGo(id: string): void {
    if (this.#running.has(id)) this.#stand(id, 'started');
    else this.#outcome.standings.set(id, { state: 'waiting', max: this.#max, position: 0 });
  }

  /** It is there already: an attempt of this batch was committed unheard, or somebody thought that it was lost. */
  #comeAgain(id: string): void {
    if (this.#rows.get(id)!.isHeld) this.#stand(id, 'held');
  }

  /** It runs without having been given a slot, and takes one, though there may be none. */
  *#hold({ id, ownerId, claim }: KeyWork['holds'][number]): Plan<void> {
    if (this.#leaving.has(id)) return;
    const { scope } = claim;
    const row = this.#rows.get(id);
    this.#pending.push(this.#sql.start(id));
    if (row?.isHeld) return;
    this.#held++;
    if (row) this.#pending.push(this.#sql.setHeld(id, this.#now));
    else {
      const slot = { activityId: id, hash: this.#work.hash, scope, ownerId, enteredAt: this.#now };
      this.#newSlots.push({ ...slot, place: 0, turn: null, heldAt: this.#now });
    }
    if (row && row.turn !== null) yield* this.#follow(row.scope, row.turn);
  }

  /** Gives a free slot to whose turn it is; one that has ended meanwhile just leaves the line. */
  *#handOn(): Plan<void> {
    const next = [...this.#scopes.values()].toSorted(byTurn)[0]!;
    const { activityId: id, ownerId } = next.first;
    const state = yield* this.#startOf(id);
    if (state === undefined) {
      this.#pending.push(this.#sql.delete([id]));
      return yield* this.#follow(next.scope, next.turn);
    }
    this.#held++;
    this.#pending.push(this.#sql.setHeld(id, this.#now));
    if (this.#comers.has(id)) this.#stand(id, state);
    else this.#outcome.grants.push({ activityId: id, ownerId, state });
    Object.assign(this.#limit, nextTurn(this.#turns, next.scope));
    yield* this.#follow(next.scope, this.#limit.served);
  }

  /** Undefined: it does not wait any more. */
  *#startOf(id: string): Plan<'started' | 'held' | undefined> {
    if (this.#comers.get(id)?.row) return 'started';
    const [, isLocked] = yield* ask(allOf([allOf(this.#pending.splice(0)), this.#sql.lockQueued(id)]));
    if (isLocked) {
      this.#pending.push(this.#sql.start(id));
      return 'started';
    }
    const status = yield* ask(this.#sql.statusOf(id));
    return status !== null && isFinalStatus(status) ? undefined : 'held';
  }

  /** The next of a scope becomes its first, with this turn. */
  *#follow(scope: string, turn: number): Plan<void> {
    const [, second] = yield* ask(allOf([allOf(this.#pending.splice(0)), this.#sql.second(this.#work.hash, scope)]));
    this.#scopes.delete(scope);
    if (!second) return;
    this.#pending.push(this.#sql.setTurn(second.activityId, turn));
    this.#first({ ...second, turn });
  }

  #first({ activityId, ownerId, scope, turn, place }: HeadRow): void {
    this.#scopes.set(scope, { scope, turn, head: place, count: 0, first: { activityId, ownerId } });
  }

  /** Those that came and are to wait: each after all of its scope that came before it. */
  *#tellPlaces(): Plan<void> {
    const waiting = [...this.#comers.values()].filter(({ id }) => !this.#outcome.standings.has(id));
    if (waiting.length === 0) return;
    const [, counts] = yield* ask(allOf([allOf(this.#pending.splice(0)), this.#sql.waitingCounts(this.#work.hash)]));
    const scopes = [...this.#scopes.values()].map((scope) => ({ ...scope, count: counts.get(scope.scope) ?? 0 }));
    const behind = new Map<string, number>();
    for (const { id, claim } of waiting.toReversed()) {
      const after = behind.get(claim.scope) ?? 0;
      behind.set(claim.scope, after + 1);
      const rank = (counts.get(claim.scope) ?? 0) - after;
      const position = rank > 0 ? placeInLine(scopes, claim.scope, rank) : 0;
      this.#outcome.standings.set(id, { state: 'waiting', max: this.#max, position });
    }
  }

  #stand(id: string, state: 'started' | 'held'): void {
    this.#outcome.standings.set(id, { state, max: this.#max });
  }
}
