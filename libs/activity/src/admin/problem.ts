import { ActivityError, plainProblem, problemOfActivityError, refusalOf, type ProblemAnswer } from '../index.js';

/** Any error as a problem. What was not written for a client stays out of it: texts of unknown errors, stacks, SQL. */
export function problemOf(error: unknown, instance?: string): ProblemAnswer {
  if (ActivityError.is(error)) return problemOfActivityError(error, instance);
  const refusal = refusalOf(error);
  if (refusal) return { ...refusal, problem: { ...refusal.problem, instance } };
  if (isHttpException(error)) return ofHttpException(error, instance);
  const status = clientErrorStatus(error);
  const isKept = status === undefined;
  return {
    problem: plainProblem(
      status ?? 500,
      isKept ? 'The request could not be answered.' : (error as Error).message,
      instance,
    ),
    headers: {},
    isKept,
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
    problem: { ...plainProblem(exception.getStatus(), detail, instance), problems },
    headers: {},
    isKept: false,
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
