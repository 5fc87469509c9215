import type { DataSource, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import type { ActivityEntities, ActivityRow } from './activity-entities.js';
import {
  ALIAS,
  conditionSql,
  conditionsOf,
  isIndexed,
  type Condition,
  type IndexedCondition,
} from './activity-filter.js';
import { firstIdAt } from './activity-id.js';
import type { ActivityFilter } from './activity-store.js';
import { alongIndex, type IdRange, type IndexValue } from './along-index.js';

type Query = SelectQueryBuilder<ActivityRow>;

/** How the rows of a filter are reached. */
export interface Reach {
  /** The condition whose index is followed; undefined: the key of the table, which has all rows. */
  along?: IndexedCondition;
  /** The last id that is looked at; null: none is left out. */
  end: string | null;
}

/**
 * The rows that a filter leaves. One condition is followed along its index; what the others leave out there is looked at
 * in vain, so how far that goes is bounded by a number of rows.
 */
export class FilteredRows {
  readonly #conditions: readonly Condition[];
  readonly #range: IdRange;

  /** @param after  an id: only rows below it. */
  constructor(
    private readonly tables: { dataSource: DataSource; entities: ActivityEntities },
    filter: ActivityFilter,
    after?: string,
  ) {
    this.#conditions = conditionsOf(filter);
    this.#range = rangeOf(filter, after);
  }

  /** A list of no values: nothing fits. */
  get isEmpty(): boolean {
    return this.#conditions.some(({ values }) => values?.length === 0);
  }

  /** Where one index has these rows and no others, nothing is looked at in vain: this is then how they are reached. */
  get directly(): Reach | undefined {
    const [first, ...others] = this.#conditions;
    if (first === undefined) return { end: null };
    return others.length === 0 && isIndexed(first) ? { along: first, end: null } : undefined;
  }

  /** The way on which `size` rows go the furthest back. */
  async reach(size: number): Promise<Reach> {
    let best: Reach | undefined;
    const indexed = this.#conditions.filter(isIndexed);
    for (const along of indexed.length > 0 ? indexed : [undefined]) {
      const end = await this.#endAlong(along, size);
      if (end === null) return { along, end };
      if (!best?.end || end < best.end) best = { along, end };
    }
    return best!;
  }

  /**
   * The column `id` of the newest rows: for each value that is followed, one part that reads its index in order and no
   * further than its limit. With `IN (…)` a database reads all rows of these values, and sorts them.
   * @param shape  gives the query of a part its limit and whatever conditions and order it has besides.
   */
  ids({ along, end }: Reach, shape: (query: Query) => void): SelectQueryBuilder<ObjectLiteral> {
    const others = this.#conditions.filter((condition) => condition !== along);
    const { from } = this.#range;
    const range = { ...this.#range, from: end !== null && !(from && from > end) ? end : from };
    return this.#parts(
      along,
      (query) => {
        for (const condition of others) {
          const { sql, parameters } = conditionSql(condition);
          query.andWhere(sql, parameters);
        }
        shape(query);
      },
      range,
    );
  }

  /** Ways on which each row of the filter is met once: the values of one condition, one after the other. */
  get paths(): readonly (IndexValue | undefined)[] {
    if (this.isEmpty) return [];
    return pathsAlong(this.#conditions.find(isIndexed));
  }

  /** Goes one of these ways, below an id; the column `fits` says (1 or 0) whether what is met there is the filter's. */
  addPath(query: Query, path: IndexValue | undefined, below?: string): void {
    const others = this.#conditions.filter(({ column }) => column !== path?.column).map(conditionSql);
    const fits = ['1 = 1', ...others.map(({ sql }) => sql)].join(' AND ');
    query.addSelect(`CASE WHEN ${fits} THEN 1 ELSE 0 END`, 'fits');
    for (const { parameters } of others) query.setParameters(parameters);
    alongIndex(query, path, { ...this.#range, ...(below && { below }) });
  }

  rows(): Query {
    return this.tables.dataSource.createQueryBuilder(this.tables.entities.activity, ALIAS);
  }

  /** The last of `size` rows; null where there are fewer. Several values have equal shares of them. */
  async #endAlong(along: IndexedCondition | undefined, size: number): Promise<string | null> {
    const each = Math.ceil(size / (along?.values.length ?? 1));
    const last = this.#parts(along, (query) => query.offset(each - 1).limit(1), this.#range);
    const found = await last.select('merged.id', 'id').getRawMany<{ id: string }>();
    // Where the rows of one value have not been looked at, those of the others are no page.
    return found.reduce<string | null>((newest, { id }) => (newest === null || id > newest ? id : newest), null);
  }

  #parts(
    along: IndexedCondition | undefined,
    shape: (query: Query) => void,
    range: IdRange,
  ): SelectQueryBuilder<ObjectLiteral> {
    const merged = this.tables.dataSource.createQueryBuilder();
    const parts = pathsAlong(along).map((path, place) => {
      const part = this.rows().select(`${ALIAS}.id`, 'id');
      alongIndex(part, path, { ...range, parameter: `along${place}` });
      shape(part);
      merged.setParameters(part.getParameters());
      return `SELECT * FROM (${part.getQuery()}) part${place}`;
    });
    return merged.from(`(${parts.join(' UNION ALL ')})`, 'merged');
  }
}

function pathsAlong(along: IndexedCondition | undefined): readonly (IndexValue | undefined)[] {
  return along ? along.values.map((value) => ({ column: along.column, value })) : [undefined];
}

/** The times of a filter as ids, which have the time of creation in them and are in every index. */
function rangeOf({ createdFrom, createdBefore }: ActivityFilter, after?: string): IdRange {
  const before = createdBefore && firstIdAt(createdBefore.getTime());
  return {
    below: before !== undefined && after !== undefined && before < after ? before : (after ?? before),
    from: createdFrom && firstIdAt(createdFrom.getTime()),
  };
}
