import { ActivityError, type ActivityErrorCode } from './activity-error.js';

/** What an error says to whoever called. */
export interface PublicError {
  message: string;
  code?: ActivityErrorCode;
  /** Its HTTP status, where the error itself has one. */
  statusCode?: number;
  /** What is wrong, a sentence each, where it says so. */
  problems?: string[];
}

/**
 * Whose texts are written for whoever called. The others are mistakes of the application's, troubles of its database, or
 * what a command said; another installed copy of this package may know codes that this one does not.
 */
const FOR_CALLERS: ReadonlySet<ActivityErrorCode> = new Set<ActivityErrorCode>([
  'ACTIVITY_CANCELLED',
  'ACTIVITY_NOT_FOUND',
  'ACTIVITY_ALREADY_SETTLED',
  'ACTIVITY_NOT_CANCELLABLE',
  'ACTIVITY_QUEUE_TIMEOUT',
  'ACTIVITY_CONFLICT',
  'ACTIVITY_KEY_REUSED',
  'ACTIVITY_RESULT_UNAVAILABLE',
  'ACTIVITY_FAILED',
  'ACTIVITY_WAIT_TIMEOUT',
  'ACTIVITY_QUERY_INVALID',
  'ACTIVITY_SHUT_DOWN',
]);

/** Whether the text of this package's error is for whoever called. */
export function isForCallers({ code }: Pick<ActivityError, 'code'>): boolean {
  return FOR_CALLERS.has(code);
}

/**
 * The part of an error that was written for whoever called; undefined where none was. Public are the texts of an
 * HttpException (as Nest itself answers them), of a 4xx made by `http-errors` or Fastify, and of this package's errors
 * about the activity. All else (SQL, paths, what a library threw) is for those who may read the activity.
 */
export function publicErrorOf(error: unknown): PublicError | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if (ActivityError.is(error)) return isForCallers(error) ? { message: error.message, code: error.code } : undefined;
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
  const statusCode = exception.getStatus();
  if (Array.isArray(message)) {
    // As a ValidationPipe makes it.
    const problems = message.map(asText);
    return { message: problems.join('; '), statusCode, problems };
  }
  return { message: typeof message === 'string' ? message : exception.message, statusCode };
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
