import * as v from 'valibot';
import type { Actor } from '../model/activity.js';
import { ActivityOptionError } from '../model/errors.js';
import { actor } from './activity.options.js';
import { checked, duration, oneOf } from './check.js';
import type { Duration } from './duration.js';

export interface CancelOptions {
  /** Who asks; text is taken as the id. */
  by?: Actor | string | null;
  /** Why, in their words: up to 2,000 characters. */
  reason?: string | null;
  /** `requested` (default): answer when the request is written. `settled`: when the activity has ended. */
  wait?: 'requested' | 'settled';
}

export interface CancelHookOptions {
  /** How long the row waits for the hook; it is not stopped then, but its signal aborts. Default 10 s. */
  budget?: Duration;
}

const DEFAULT_BUDGET = '10s';
const hookOptions = v.strictObject({ budget: v.optional(duration, DEFAULT_BUDGET) }, 'must be an object');

/** In milliseconds. @throws {ActivityOptionError} naming what is wrong and what is allowed. */
export function hookBudgetOf(hook: unknown, options: CancelHookOptions = {}): number {
  if (typeof hook !== 'function') throw new ActivityOptionError('onCancel', ['it takes a function']);
  return checked('onCancel', hookOptions, options).budget;
}

const schema = v.strictObject(
  {
    by: v.nullish(actor),
    reason: v.nullish(
      v.custom<string>(
        (value) => typeof value === 'string' && value.length <= 2_000,
        'must be text of at most 2,000 characters',
      ),
    ),
    wait: v.optional(oneOf(['requested', 'settled'])),
  },
  'must be an object',
);

/** @throws {ActivityOptionError} naming what is wrong and what is allowed. */
export function checkCancelOptions(options: CancelOptions): CancelOptions {
  return checked('Cancel options', schema, options);
}
