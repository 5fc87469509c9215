// Not the global: an app's test that fakes timers must not stop its tracker.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Brackets, type DataSource, type WhereExpressionBuilder } from 'typeorm';
import { FINAL_STATUSES } from '../model/statuses.js';
import type { ActivityEntities } from './activity-entities.js';
import { ALIAS, applyFilter } from './activity-filter.js';
import { checkFilter, checkPruneRules } from './activity-query.js';
import type { ActivityFilter, PruneResult, PruneRules } from './activity-store.js';
import { toNumber } from './sql-value.js';

/** Activities of one delete, with all their lines: few enough that nobody waits long behind it. */
const STEP = 100;

interface End {
  endedAt: number;
  id: string;
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
    return this.#deleteAll((query) => applyFilter(query, filter));
  }

  async prune(rules: PruneRules): Promise<PruneResult> {
    checkPruneRules(rules);
    let activities = 0;
    for (let scope = await this.#scopeAfter(null); scope !== null; scope = await this.#scopeAfter(scope)) {
      activities += await this.#pruneScope(scope, rules);
    }
    return { activities };
  }

  async #pruneScope(scope: string, { endedBefore, maxCount, dryRun }: PruneRules): Promise<number> {
    const firstTooMany = maxCount === undefined ? undefined : await this.#endedAtPlace(scope, maxCount);
    if (endedBefore === undefined && firstTooMany === undefined) return 0;
    const condition = (query: WhereExpressionBuilder) => {
      query.andWhere(`${ALIAS}.scope = :scope`, { scope });
      query.andWhere(
        new Brackets((either) => {
          if (endedBefore) either.orWhere(`${ALIAS}.ended_at < :before`, { before: endedBefore.getTime() });
          if (firstTooMany) {
            either.orWhere(
              `(${ALIAS}.ended_at < :lastAt OR (${ALIAS}.ended_at = :lastAt AND ${ALIAS}.id <= :lastId))`,
              { lastAt: firstTooMany.endedAt, lastId: firstTooMany.id },
            );
          }
        }),
      );
    };
    return dryRun ? this.#count(condition) : this.#deleteAll(condition);
  }

  async #deleteAll(condition: (query: WhereExpressionBuilder) => void): Promise<number> {
    for (let deleted = 0; ;) {
      const step = await this.attempt(() => this.#deleteStep(condition));
      deleted += step.deleted;
      // What was found and is still there was changed in between: it would be found again and again.
      if (step.found < STEP || step.deleted === 0) return deleted;
      // On better-sqlite3 nothing of a step leaves this turn of the event loop: without a pause the process stands still.
      await nextTurn();
    }
  }

  async #deleteStep(condition: (query: WhereExpressionBuilder) => void): Promise<{ found: number; deleted: number }> {
    const ids = await this.#ended(condition)
      .select(`${ALIAS}.id`, 'id')
      .orderBy(`${ALIAS}.ended_at`, 'ASC')
      .limit(STEP)
      .getRawMany<{ id: string }>();
    if (ids.length === 0) return { found: 0, deleted: 0 };
    const result = await this.dataSource
      .createQueryBuilder()
      .delete()
      .from(this.entities.activity)
      .where('id IN (:...ids)', { ids: ids.map(({ id }) => id) })
      // Again, in the same statement, whatever was read before.
      .andWhere('status IN (:...final)', { final: FINAL_STATUSES })
      .execute();
    return { found: ids.length, deleted: result.affected ?? ids.length };
  }

  async #count(condition: (query: WhereExpressionBuilder) => void): Promise<number> {
    return this.attempt(() => this.#ended(condition).getCount());
  }

  /** The end at a place in the scope, newest first: with all older ones it is more than is kept. */
  async #endedAtPlace(scope: string, place: number): Promise<End | undefined> {
    const row = await this.attempt(() =>
      this.#ended((query) => query.andWhere(`${ALIAS}.scope = :scope`, { scope }))
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
  #ended(condition: (query: WhereExpressionBuilder) => void) {
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
