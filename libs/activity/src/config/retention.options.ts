import * as v from 'valibot';
import { FINAL_STATUSES, type FinalStatus } from '../model/statuses.js';
import { duration, name, oneOf, positiveInteger } from './check.js';
import type { Duration } from './duration.js';

/** How long what has ended is kept, and how much of it. */
export interface RetentionLimits {
  /** Counted from the end of the activity; false: any age. */
  maxAge?: Duration | false;
  /** Ended activities kept in each scope, newest end first; false: any number. */
  maxCount?: number | false;
}

/** Limits for some of the activities: all that is given must fit, a list means any of it. */
export interface RetentionRule extends RetentionLimits {
  /** `image.pull`, or `image.*` for all types that begin so. */
  type?: string | readonly string[];
  status?: FinalStatus | readonly FinalStatus[];
  scope?: string | readonly string[];
}

export interface RetentionOptions extends RetentionLimits {
  /**
   * The first rule that fits an activity decides; what it leaves out is as for all others. `maxCount` of a rule counts
   * the activities of that rule, in each scope.
   */
  rules?: readonly RetentionRule[];
  /** Whatever ended less than this ago stays: somebody may be about to look at it. Default 1 minute. */
  minAge?: Duration;
  /** How often a process looks; of several processes one at a time does. Default 10 minutes; false: only `prune()` does. */
  every?: Duration | false;
}

/** Milliseconds and counts; undefined: no limit. */
export interface RetentionLimit {
  maxAge?: number;
  maxCount?: number;
}

export interface CheckedRetentionRule extends RetentionLimit {
  type?: readonly string[];
  status?: readonly FinalStatus[];
  scope?: readonly string[];
}

export interface Retention {
  /** The last one fits every activity. */
  rules: readonly CheckedRetentionRule[];
  minAge: number;
  every?: number;
}

const limits = {
  maxAge: v.optional(v.union([v.literal(false), duration], 'must be a positive duration such as "30d", or false')),
  maxCount: v.optional(v.union([v.literal(false), positiveInteger], 'must be a whole number of at least 1, or false')),
};

const typePattern = v.pipe(
  name(128),
  v.check((value) => !value.slice(0, -1).includes('*'), 'must have its `*`, if any, at the end: `image.*`'),
);

function oneOrMore<const S extends v.GenericSchema<string>>(schema: S) {
  return v.optional(
    v.lazy((input): v.GenericSchema => (Array.isArray(input) ? v.pipe(v.array(schema), v.minLength(1)) : schema)),
  );
}

const rule = v.strictObject({
  ...limits,
  type: oneOrMore(typePattern),
  status: oneOrMore(oneOf(FINAL_STATUSES)),
  scope: oneOrMore(name(64)),
});

const DEFAULT_MAX_AGE = 30 * 24 * 3_600_000;
const DEFAULT_MAX_COUNT = 10_000;
const DEFAULT_EVERY = 600_000;

const given = v.pipe(
  v.strictObject(
    {
      ...limits,
      rules: v.optional(v.array(rule, 'must be a list of rules'), []),
      minAge: v.optional(duration, '1m'),
      every: v.optional(v.union([v.literal(false), duration], 'must be a positive duration such as "10m", or false')),
    },
    'must be an object, or false',
  ),
  v.transform(({ rules, minAge, every, maxAge = DEFAULT_MAX_AGE, maxCount = DEFAULT_MAX_COUNT }): Retention => {
    const withLimits = (one: RetentionRule): CheckedRetentionRule => ({
      ...(one.type === undefined ? {} : { type: [one.type].flat() }),
      ...(one.status === undefined ? {} : { status: [one.status].flat() }),
      ...(one.scope === undefined ? {} : { scope: [one.scope].flat() }),
      ...limit('maxAge', one.maxAge ?? maxAge),
      ...limit('maxCount', one.maxCount ?? maxCount),
    });
    return {
      rules: [...(rules as RetentionRule[]), {}].map(withLimits),
      minAge,
      ...(every === false ? {} : { every: every ?? DEFAULT_EVERY }),
    };
  }),
);

/** The option `retention`: false keeps all. */
export const retention = v.lazy((input) => (input === false ? v.literal(false) : given));

function limit<K extends keyof RetentionLimit>(key: K, value: unknown): Pick<RetentionLimit, K> {
  return (value === false ? {} : { [key]: value }) as Pick<RetentionLimit, K>;
}
