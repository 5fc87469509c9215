import type { DataSource, SelectQueryBuilder } from 'typeorm';
import type { CheckedRetentionRule } from '../config/retention.options.js';
import { FINAL_STATUSES } from '../model/statuses.js';
import type { ActivityEntities, ActivityRow } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import type { ActivityFilter } from './activity-store.js';
import { alongEnds, useIndex, type EndedPlace } from './along-index.js';
import type { Deletable } from './delete-activities.js';
import { FilteredRows } from './filtered-rows.js';
import type { Pace } from './pace.js';
import { ruleOfRow } from './retention-conditions.js';
import { toNumber } from './sql-value.js';

/** Rows that one statement looks at: on better-sqlite3 the process stands still meanwhile, for some milliseconds. */
const LOOKED_AT = 500;

export interface EndedRow extends Deletable {
  endedAt: number;
  /** The place of the rule that it falls under. */
  rule: number;
}

/**
 * What has ended, read in pieces of a bounded size, newest first. What a piece leaves out has been looked at with it, and
 * the next one goes on below: a whole walk looks at each row once.
 */
export class EndedRows {
  constructor(
    private readonly tables: { dataSource: DataSource; entities: ActivityEntities },
    private readonly pace: Pace,
  ) {}

  /** Those that a filter leaves, by creation. */
  async *ofFilter(filter: ActivityFilter): AsyncIterable<Deletable[]> {
    const filtered = new FilteredRows(this.tables, filter);
    for (const path of filtered.paths) {
      let below: string | undefined;
      while (!this.pace.isOver) {
        const query = look(filtered.rows())
          .addSelect(`${ALIAS}.status IN (:...final)`, 'ended')
          .setParameter('final', FINAL_STATUSES);
        filtered.addPath(query, path, below);
        const rows = await this.pace.step(() => query.getRawMany<RawRow & { ended: unknown; fits: unknown }>());
        // The time alone does not say that one has ended: one whose status is not ours is let alone.
        yield rows.filter((row) => isTrue(row.ended) && isTrue(row.fits) && row.ended_at !== null).map(deletable);
        if (rows.length < LOOKED_AT) break;
        below = rows.at(-1)!.id;
      }
    }
  }

  /**
   * Those of a scope, by their end.
   * @param options.before  milliseconds since 1970: from there on.
   */
  async *ofScope(
    scope: string,
    { rules, before }: { rules: readonly CheckedRetentionRule[]; before: number },
  ): AsyncIterable<EndedRow[]> {
    if (before === -Infinity) return;
    const rule = ruleOfRow(rules);
    let from: number | EndedPlace = before;
    while (!this.pace.isOver) {
      const query = look(this.#rows()).addSelect(rule.sql, 'rule').setParameters(rule.parameters);
      alongEnds(query, scope, from);
      const rows = await this.pace.step(() => query.getRawMany<RawRow & { rule: unknown }>());
      yield rows
        .filter((row) => row.rule !== null)
        .map((row) => ({ ...deletable(row), endedAt: toNumber(row.ended_at), rule: toNumber(row.rule) }));
      if (rows.length < LOOKED_AT) break;
      const last: RawRow = rows.at(-1)!;
      from = { endedAt: toNumber(last.ended_at), id: last.id };
    }
  }

  /** Scopes in which something has ended. One step along the index for each, where a DISTINCT would read all of it. */
  async *scopes(): AsyncIterable<string> {
    let scope: string | undefined;
    while (!this.pace.isOver) {
      const query = this.#rows()
        .select(`${ALIAS}.scope`, 'scope')
        .where(`${ALIAS}.ended_at IS NOT NULL`)
        .orderBy(`${ALIAS}.scope`, 'ASC')
        .limit(1);
      useIndex(query, 'ended');
      if (scope !== undefined) query.andWhere(`${ALIAS}.scope > :scope`, { scope });
      const row = await this.pace.step(() => query.getRawOne<{ scope: string }>());
      if (!row) return;
      yield (scope = row.scope);
    }
  }

  #rows() {
    return this.tables.dataSource.createQueryBuilder(this.tables.entities.activity, ALIAS);
  }
}

function look(query: SelectQueryBuilder<ActivityRow>) {
  return query
    .select(`${ALIAS}.id`, 'id')
    .addSelect(`${ALIAS}.ended_at`, 'ended_at')
    .addSelect(`${ALIAS}.message_count - ${ALIAS}.dropped_message_count`, 'messages')
    .limit(LOOKED_AT);
}

interface RawRow {
  id: string;
  ended_at: unknown;
  messages: unknown;
}

function deletable({ id, messages }: RawRow): Deletable {
  return { id, messages: Math.max(0, toNumber(messages)) };
}

/** A truth as the database has it: a number, or `true` on PostgreSQL. */
function isTrue(value: unknown): boolean {
  return Boolean(Number(value));
}
