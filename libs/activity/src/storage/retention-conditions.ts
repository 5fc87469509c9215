import { Brackets, NotBrackets, type WhereExpressionBuilder } from 'typeorm';
import type { CheckedRetentionRule } from '../config/retention.options.js';
import { ALIAS } from './activity-filter.js';

/** A place in the order of the ends, newest first. */
export interface Place {
  endedAt: number;
  id: string;
}

/** Adds that an activity fits the rule at `place` and none before it. */
export function fits(query: WhereExpressionBuilder, rules: readonly CheckedRetentionRule[], place: number): void {
  addRule(query, rules[place]!, `rule${place}`);
  for (const [index, earlier] of rules.slice(0, place).entries()) {
    query.andWhere(new NotBrackets((condition) => addRule(condition, earlier, `rule${index}`)));
  }
}

function addRule(query: WhereExpressionBuilder, { type, status, scope }: CheckedRetentionRule, name: string): void {
  query.andWhere('1 = 1');
  if (status) query.andWhere(`${ALIAS}.status IN (:...${name}Status)`, { [`${name}Status`]: status });
  if (scope) query.andWhere(`${ALIAS}.scope IN (:...${name}Scope)`, { [`${name}Scope`]: scope });
  if (!type) return;
  query.andWhere(
    new Brackets((either) => {
      for (const [index, pattern] of type.entries()) {
        const key = `${name}Type${index}`;
        const isPrefix = pattern.endsWith('*');
        // Not LIKE, which is blind to case on SQLite and has wildcards of its own.
        const value = isPrefix ? `SUBSTR(${ALIAS}.type, 1, ${pattern.length - 1})` : `${ALIAS}.type`;
        either.orWhere(`${value} = :${key}`, { [key]: isPrefix ? pattern.slice(0, -1) : pattern });
      }
    }),
  );
}

/** Adds that it is beyond one of the limits, and did not end only a moment ago. */
export function tooOldOrTooMany(
  query: WhereExpressionBuilder,
  { maxAge, last, minAge, now }: { maxAge?: number; last?: Place; minAge: number; now: Date },
): void {
  query.andWhere(`${ALIAS}.ended_at < :youngest`, { youngest: now.getTime() - minAge });
  query.andWhere(
    new Brackets((either) => {
      if (maxAge !== undefined) either.orWhere(`${ALIAS}.ended_at < :oldest`, { oldest: now.getTime() - maxAge });
      if (last) {
        either.orWhere(`(${ALIAS}.ended_at < :lastAt OR (${ALIAS}.ended_at = :lastAt AND ${ALIAS}.id <= :lastId))`, {
          lastAt: last.endedAt,
          lastId: last.id,
        });
      }
    }),
  );
}
