import type { ServerResponse } from 'node:http';
import type { ArgumentsHost, Logger } from '@nestjs/common';
import type { AdminRequest } from './admin-request.js';
import { endIfBegun, send, type NativeResponse } from './json-answer.js';
import { problemOf } from './problem.js';

/** Answers a failed request with a problem, and logs what the client was not told. */
export function sendProblem(error: unknown, host: ArgumentsHost, logger: Logger): void {
  const { originalUrl, url } = host.switchToHttp().getRequest<AdminRequest>();
  const response = host.switchToHttp().getResponse<NativeResponse | ServerResponse>();
  const { problem, headers, isKept } = problemOf(error, (originalUrl ?? url).split('?', 1)[0]);
  if (isKept) logger.error(error);
  if (endIfBegun(response)) return;
  send(response, problem.status, problem, {
    'Cache-Control': 'no-store',
    ...headers,
    'Content-Type': 'application/problem+json; charset=utf-8',
  });
}
