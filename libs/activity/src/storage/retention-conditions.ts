import type { CheckedRetentionRule, RetentionLimit } from '../config/retention.options.js';
import { FINAL_STATUSES } from '../model/statuses.js';
import { ALIAS } from './activity-filter.js';

/**
 * SQL for the place of the first rule that fits a row; null where none does, and for a row whose status is not one of
 * ours, which is let alone. Its parameters go with it.
 */
export function ruleOfRow(rules: readonly CheckedRetentionRule[]): {
  sql: string;
  parameters: Record<string, string | readonly string[]>;
} {
  const parameters: Record<string, string | readonly string[]> = { final: FINAL_STATUSES };
  const cases = rules.map((rule, place) => `WHEN ${fits(rule, `rule${place}`, parameters)} THEN ${place}`);
  return { sql: `CASE WHEN ${ALIAS}.status NOT IN (:...final) THEN NULL ${cases.join(' ')} END`, parameters };
}

function fits(
  { type, status, scope }: CheckedRetentionRule,
  name: string,
  parameters: Record<string, string | readonly string[]>,
): string {
  const all: string[] = [];
  for (const [column, values] of Object.entries({ status, scope })) {
    if (!values) continue;
    parameters[`${name}${column}`] = values;
    all.push(`${ALIAS}.${column} IN (:...${name}${column})`);
  }
  const types = type?.map((pattern, index) => {
    const isPrefix = pattern.endsWith('*');
    parameters[`${name}type${index}`] = isPrefix ? pattern.slice(0, -1) : pattern;
    // Not LIKE, which is blind to case on SQLite and has wildcards of its own.
    const value = isPrefix ? `SUBSTR(${ALIAS}.type, 1, ${pattern.length - 1})` : `${ALIAS}.type`;
    return `${value} = :${name}type${index}`;
  });
  if (types) all.push(`(${types.join(' OR ')})`);
  return all.length === 0 ? '1 = 1' : all.join(' AND ');
}

/** The limits of each rule in one scope: none, where the rule is for others. */
export function limitsIn(scope: string, rules: readonly CheckedRetentionRule[]): RetentionLimit[] {
  return rules.map(({ maxAge, maxCount, scope: only }) =>
    only?.includes(scope) === false ? {} : { maxAge, maxCount },
  );
}

/** Counts what is kept, newest end first, and says of each row whether it is beyond what its rule keeps. */
export class Kept {
  readonly #counts: number[];

  /**
   * @param options.now  from where ages are counted, in milliseconds since 1970.
   * @param options.minAge  milliseconds: what ended later stays, whatever the rules say.
   */
  constructor(
    private readonly limits: readonly RetentionLimit[],
    private readonly options: { now: number; minAge: number },
  ) {
    this.#counts = limits.map(() => 0);
  }

  isBeyond({ rule, endedAt }: { rule: number; endedAt: number }): boolean {
    const { maxAge, maxCount } = this.limits[rule]!;
    const isOneTooMany = ++this.#counts[rule]! > (maxCount ?? Infinity);
    const { now, minAge } = this.options;
    const age = now - endedAt;
    return age > minAge && (isOneTooMany || age > (maxAge ?? Infinity));
  }

  /** Nothing that ended then or later is beyond, and where nothing is counted, it need not be read. */
  get youngest(): number {
    if (this.limits.some(({ maxCount }) => maxCount !== undefined)) return Infinity;
    const { now, minAge } = this.options;
    return now - Math.max(minAge, Math.min(...this.limits.map(({ maxAge }) => maxAge ?? Infinity)));
  }
}
