import { STATUS_CODES } from 'node:http';
import { HttpStatus } from '@nestjs/common';
import { ActivityError, type ActivityStatus } from '../index.js';
import { answerTo } from './error-statuses.js';

/** An error as a client gets it, `application/problem+json`. @see RFC 9457 */
export interface ActivityProblem {
  type: 'about:blank';
  /** The phrase of the HTTP status. */
  title: string;
  /** The HTTP status. */
  status: number;
  detail: string;
  /** `ActivityErrorCode`, or the name of the HTTP status: `FORBIDDEN`. */
  code: string;
  /** Path of the request. */
  instance?: string;
  /** What is wrong, a sentence each. */
  problems?: string[];
  activityId?: string;
  /** Where the activity stands, when that is why. */
  activityStatus?: ActivityStatus;
}

export interface ProblemAnswer {
  problem: ActivityProblem;
  headers: Record<string, string>;
  /** The client was not told what happened: the log must be. */
  isKept: boolean;
}

/** Any error as a problem. What was not written for a client stays out of it: texts of unknown errors, stacks, SQL. */
export function problemOf(error: unknown, instance?: string): ProblemAnswer {
  if (ActivityError.is(error)) return ofActivityError(error, instance);
  if (isHttpException(error)) return ofHttpException(error, instance);
  const status = clientErrorStatus(error);
  const isKept = status === undefined;
  return {
    problem: plain(status ?? 500, isKept ? 'The request could not be answered.' : (error as Error).message, instance),
    headers: {},
    isKept,
  };
}

function ofActivityError(error: ActivityError, instance?: string): ProblemAnswer {
  const { status, public: isPublic, retryAfter } = answerTo(error);
  const { activityId, status: activityStatus, problems } = error as Partial<ActivityProblem> & { status?: never };
  return {
    problem: {
      ...plain(status, isPublic ? error.message : 'The activity tracker could not answer.', instance),
      code: error.code,
      ...(isPublic ? { problems, activityId, activityStatus } : {}),
    },
    headers: retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) },
    isKept: !isPublic,
  };
}

/** As Nest shows it: an object's `message` may be a list, as a ValidationPipe makes it. */
function ofHttpException(exception: HttpExceptionLike, instance?: string): ProblemAnswer {
  const response = exception.getResponse();
  const message =
    typeof response === 'object' && response !== null && 'message' in response ? response.message : response;
  const problems = Array.isArray(message) ? message.map(String) : undefined;
  const detail = problems?.join('; ') ?? (typeof message === 'string' ? message : exception.message);
  return {
    problem: { ...plain(exception.getStatus(), detail, instance), problems },
    headers: {},
    isKept: false,
  };
}

function plain(status: number, detail: string, instance?: string): ActivityProblem {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code: HttpStatus[status] ?? `HTTP_${status}`,
    instance,
  };
}

interface HttpExceptionLike {
  message: string;
  getStatus(): number;
  getResponse(): unknown;
}

/** By what it can do: an app may have two copies of `@nestjs/common`. */
function isHttpException(error: unknown): error is HttpExceptionLike {
  const { getStatus, getResponse } = (error ?? {}) as Partial<HttpExceptionLike>;
  return typeof getStatus === 'function' && typeof getResponse === 'function';
}

/** The 4xx of an error made by `http-errors` or Fastify. */
function clientErrorStatus(error: unknown): number | undefined {
  const { statusCode, message } = (error ?? {}) as { statusCode?: unknown; message?: unknown };
  const isOne = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 && typeof message === 'string';
  return isOne ? statusCode : undefined;
}
