// Not the globals: an app's test that fakes timers must not stop its tracker.
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { DataSource, WhereExpressionBuilder } from 'typeorm';
import { FINAL_STATUSES } from '../model/statuses.js';
import type { ActivityEntities } from './activity-entities.js';
import { ALIAS, applyFilter } from './activity-filter.js';
import { checkFilter } from './activity-query.js';
import type { ActivityFilter, PruneRequest, PruneResult } from './activity-store.js';
import { fits, tooOldOrTooMany, type Place } from './retention-conditions.js';
import { toNumber } from './sql-value.js';

/** Lines that one delete takes with it, and activities: few enough that nobody waits long behind it. */
const STEP_LINES = 1_000;
const STEP_ACTIVITIES = 100;
/** Of a prune, which nobody waits for: work goes first. */
const REST_PER_STEP = 1;

type Condition = (query: WhereExpressionBuilder) => void;

interface Deleted {
  activities: number;
  messages: number;
}

/** Deletes what has ended, in small steps that each stand for themselves. Lines go with their activity. */
export class ActivityHistory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly entities: ActivityEntities,
    /** Runs one step, again while the database is busy. */
    private readonly attempt: <T>(step: () => Promise<T>) => Promise<T>,
  ) {}

  async clear(filter: ActivityFilter): Promise<number> {
    checkFilter(filter);
    const { activities } = await this.#deleteAll((query) => applyFilter(query, filter), { pause: nextTurn });
    return activities;
  }

  /** Stops between two steps when `signal` aborts, and says what it has done. */
  async prune({ rules, now, minAge, dryRun = false }: PruneRequest, signal?: AbortSignal): Promise<PruneResult> {
    const result: PruneResult = { activities: 0, messages: 0, by: [] };
    for (let scope = await this.#scopeAfter(null); scope !== null; scope = await this.#scopeAfter(scope)) {
      for (const [place, rule] of rules.entries()) {
        if (signal?.aborted) return result;
        if (rule.scope && !rule.scope.includes(scope)) continue;
        const within = scope;
        const ofRule: Condition = (query) => {
          query.andWhere(`${ALIAS}.scope = :scope`, { scope: within });
          fits(query, rules, place);
        };
        const last = rule.maxCount === undefined ? undefined : await this.#placeOf(ofRule, rule.maxCount);
        if (rule.maxAge === undefined && !last) continue;
        const condition: Condition = (query) => {
          ofRule(query);
          tooOldOrTooMany(query, { maxAge: rule.maxAge, last, minAge, now });
        };
        const gone = dryRun
          ? await this.#count(condition)
          : await this.#deleteAll(condition, { signal, pause: (tookMs) => delay(tookMs * REST_PER_STEP) });
        if (gone.activities === 0) continue;
        result.activities += gone.activities;
        result.messages += gone.messages;
        result.by.push({ scope, rule: place === rules.length - 1 ? null : place, ...gone });
      }
    }
    return result;
  }

  async #deleteAll(
    condition: Condition,
    { signal, pause }: { signal?: AbortSignal; pause: (tookMs: number) => Promise<unknown> },
  ): Promise<Deleted> {
    const all: Deleted = { activities: 0, messages: 0 };
    for (;;) {
      const start = performance.now();
      const step = await this.attempt(() => this.#deleteStep(condition));
      all.activities += step.activities;
      all.messages += step.messages;
      // What was found and is still there was changed in between: it would be found again and again.
      if (step.isLast || step.activities === 0 || signal?.aborted) return all;
      // On better-sqlite3 nothing of a step leaves this turn of the event loop: without a pause the process stands still.
      await pause(performance.now() - start);
    }
  }

  async #deleteStep(condition: Condition): Promise<Deleted & { isLast: boolean }> {
    const found = await this.#ended(condition)
      .select(`${ALIAS}.id`, 'id')
      .addSelect(`${ALIAS}.message_count - ${ALIAS}.dropped_message_count`, 'messages')
      .orderBy(`${ALIAS}.ended_at`, 'ASC')
      .limit(STEP_ACTIVITIES)
      .getRawMany<{ id: string; messages: unknown }>();
    const step: string[] = [];
    let messages = 0;
    for (const row of found) {
      const its = Math.max(0, toNumber(row.messages));
      if (step.length > 0 && messages + its > STEP_LINES) break;
      step.push(row.id);
      messages += its;
    }
    if (step.length === 0) return { activities: 0, messages: 0, isLast: true };
    const result = await this.dataSource
      .createQueryBuilder()
      .delete()
      .from(this.entities.activity)
      .where('id IN (:...ids)', { ids: step })
      // Again, in the same statement, whatever was read before.
      .andWhere('status IN (:...final)', { final: FINAL_STATUSES })
      .execute();
    // After the rows: a key that is left behind by a crash in between is free, since its activity is gone.
    await this.#deleteKeys(step);
    const isLast = found.length < STEP_ACTIVITIES && step.length === found.length;
    return { activities: result.affected ?? step.length, messages, isLast };
  }

  async #deleteKeys(ids: readonly string[]): Promise<void> {
    await this.dataSource
      .createQueryBuilder()
      .delete()
      .from(this.entities.key)
      .where('activity_id IN (:...ids)', { ids })
      .execute();
  }

  async #count(condition: Condition): Promise<Deleted> {
    const row = await this.attempt(() =>
      this.#ended(condition)
        .select('COUNT(*)', 'activities')
        .addSelect(`SUM(${ALIAS}.message_count - ${ALIAS}.dropped_message_count)`, 'messages')
        .getRawOne<{ activities: unknown; messages: unknown }>(),
    );
    return { activities: toNumber(row?.activities ?? 0), messages: toNumber(row?.messages ?? 0) };
  }

  /** The end at a place in the order, newest first: with all older ones it is more than is kept. */
  async #placeOf(condition: Condition, place: number): Promise<Place | undefined> {
    const row = await this.attempt(() =>
      this.#ended(condition)
        .select(`${ALIAS}.ended_at`, 'ended_at')
        .addSelect(`${ALIAS}.id`, 'id')
        .orderBy(`${ALIAS}.ended_at`, 'DESC')
        .addOrderBy(`${ALIAS}.id`, 'DESC')
        .offset(place)
        .limit(1)
        .getRawOne<{ ended_at: unknown; id: string }>(),
    );
    return row && { endedAt: toNumber(row.ended_at), id: row.id };
  }

  /** One step along the index, where a DISTINCT would read all of it, as would a look at each row's status. */
  async #scopeAfter(scope: string | null): Promise<string | null> {
    const row = await this.attempt(() => {
      const query = this.#rows().where(`${ALIAS}.ended_at IS NOT NULL`);
      if (scope !== null) query.andWhere(`${ALIAS}.scope > :scope`, { scope });
      return query.select(`MIN(${ALIAS}.scope)`, 'scope').getRawOne<{ scope: string | null }>();
    });
    return row?.scope ?? null;
  }

  /** What may be deleted. The time alone does not say so: a row whose status is not one of ours is let alone. */
  #ended(condition: Condition) {
    const query = this.#rows()
      .where(`${ALIAS}.ended_at IS NOT NULL`)
      .andWhere(`${ALIAS}.status IN (:...final)`, { final: FINAL_STATUSES });
    condition(query);
    return query;
  }

  #rows() {
    return this.dataSource.createQueryBuilder(this.entities.activity, ALIAS);
  }
}
