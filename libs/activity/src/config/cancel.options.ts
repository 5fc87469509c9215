import * as v from 'valibot';
import type { Actor } from '../model/activity.js';
import { ActivityOptionError } from '../model/errors.js';
import { actor } from './activity.options.js';
import { checked, duration, oneOf, truth } from './check.js';
import type { Duration } from './duration.js';

export interface CancelOptions {
  /** Who asks; text is taken as the id. */
  by?: Actor | string | null;
  /** Why, in their words: up to 2,000 characters. */
  reason?: string | null;
  /** `requested` (default): answer when the request is written. `settled`: when the activity has ended. */
  wait?: CancelWait;
  /** How long `settled` waits at most. Default: as long as it takes. */
  timeout?: Duration;
  /**
   * Ends the row at once, as `cancelled` with the reason `forced`, though the work may ignore its signal or be in a
   * critical section: a second request may so escalate the first. The work itself cannot be ended: it may still be
   * running, and holds its slot until it has come back. Default false.
   */
  force?: boolean;
}

export const CANCEL_WAITS = ['requested', 'settled'] as const;
export type CancelWait = (typeof CANCEL_WAITS)[number];

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
    wait: v.optional(oneOf(CANCEL_WAITS), 'requested'),
    timeout: v.optional(duration),
    force: v.optional(truth, false),
  },
  'must be an object',
);

/** With defaults, and the time in milliseconds. */
export type CheckedCancelOptions = v.InferOutput<typeof schema>;

/** @throws {ActivityOptionError} naming what is wrong and what is allowed. */
export function checkCancelOptions(options: CancelOptions): CheckedCancelOptions {
  return checked('Cancel options', schema, options);
}
