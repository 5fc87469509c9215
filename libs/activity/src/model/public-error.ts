import { ActivityError, type ActivityErrorCode } from './activity-error.js';

/** What an error says to whoever called. */
export interface PublicError {
  message: string;
  code?: ActivityErrorCode;
  /** Its HTTP status, where the error itself has one. */
  statusCode?: number;
}

/** Mistakes of the application's and troubles of its database: not their callers' to read. */
const KEPT: ReadonlySet<ActivityErrorCode> = new Set<ActivityErrorCode>([
  'ACTIVITY_OPTION_INVALID',
  'ACTIVITY_MODULE_MISSING',
  'ACTIVITY_MODULE_DUPLICATE',
  'ACTIVITY_DECORATOR_MISUSED',
  'ACTIVITY_STORE_UNAVAILABLE',
  'ACTIVITY_STORE_UNSUPPORTED',
  'ACTIVITY_MIGRATIONS_PENDING',
  'ACTIVITY_ADMIN_UNGUARDED',
  'ACTIVITY_STREAM_CUT',
]);

/**
 * The part of an error that was written for whoever called; undefined where none was. Public are the texts of an
 * HttpException (as Nest itself answers them), of a 4xx made by `http-errors` or Fastify, and of this package's errors
 * about the activity. All else (SQL, paths, what a library threw) is for those who may read the activity.
 */
export function publicErrorOf(error: unknown): PublicError | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if (ActivityError.is(error)) return KEPT.has(error.code) ? undefined : { message: error.message, code: error.code };
  try {
    return ofHttpException(error) ?? ofClientError(error);
  } catch {
    // A getter of a stranger's error threw.
    return undefined;
  }
}

interface HttpExceptionLike {
  message: string;
  getStatus(): number;
  getResponse(): unknown;
}

/** By what it can do: an app may have two copies of `@nestjs/common`. */
function ofHttpException(error: object): PublicError | undefined {
  const { getStatus, getResponse } = error as Partial<HttpExceptionLike>;
  if (typeof getStatus !== 'function' || typeof getResponse !== 'function') return undefined;
  const exception = error as HttpExceptionLike;
  const response = exception.getResponse();
  const message =
    typeof response === 'object' && response !== null && 'message' in response ? response.message : response;
  return {
    // A list, as a ValidationPipe makes it.
    message: Array.isArray(message)
      ? message.map(asText).join('; ')
      : typeof message === 'string'
        ? message
        : exception.message,
    statusCode: exception.getStatus(),
  };
}

/** A pipe may make objects of what is wrong. */
function asText(one: unknown): string {
  return typeof one === 'object' && one !== null ? JSON.stringify(one) : String(one);
}

function ofClientError(error: object): PublicError | undefined {
  const { statusCode, message } = error as { statusCode?: unknown; message?: unknown };
  const isOne = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 && typeof message === 'string';
  return isOne ? { message, statusCode } : undefined;
}
