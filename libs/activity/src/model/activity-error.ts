const brand = Symbol.for('nestjs-activity.error');

/** Every code that an error of this package can carry; `docs/reference/errors.md` lists what each means. */
export type ActivityErrorCode =
  | 'ACTIVITY_CANCELLED'
  | 'ACTIVITY_NOT_FOUND'
  | 'ACTIVITY_ALREADY_SETTLED'
  | 'ACTIVITY_NOT_CANCELLABLE'
  | 'ACTIVITY_QUEUE_TIMEOUT'
  | 'ACTIVITY_CONFLICT'
  | 'ACTIVITY_KEY_REUSED'
  | 'ACTIVITY_RESULT_UNAVAILABLE'
  | 'ACTIVITY_FAILED'
  | 'ACTIVITY_WAIT_TIMEOUT'
  | 'ACTIVITY_OPTION_INVALID'
  | 'ACTIVITY_QUERY_INVALID'
  | 'ACTIVITY_MODULE_MISSING'
  | 'ACTIVITY_MODULE_DUPLICATE'
  | 'ACTIVITY_DECORATOR_MISUSED'
  | 'ACTIVITY_COMMAND_FAILED'
  | 'ACTIVITY_STORE_UNAVAILABLE'
  | 'ACTIVITY_STORE_UNSUPPORTED'
  | 'ACTIVITY_MIGRATIONS_PENDING'
  | 'ACTIVITY_SHUT_DOWN'
  | 'ACTIVITY_ADMIN_UNGUARDED'
  | 'ACTIVITY_STREAM_CUT';

/**
 * Base of all errors of this package: a stable `code`, facts as fields, the cause kept.
 * After undici's and Temporal's branded errors: `instanceof` lies across two installed copies and across realms.
 */
export abstract class ActivityError extends Error {
  abstract readonly code: ActivityErrorCode;
  readonly [brand] = true;

  override get name(): string {
    return this.constructor.name;
  }

  /** True for an error of any installed copy of this package, in any realm. */
  static is(error: unknown): error is ActivityError {
    return typeof error === 'object' && error !== null && brand in error;
  }
}
