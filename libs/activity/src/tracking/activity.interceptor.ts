import {
  BadRequestException,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { batchId as batchIdSchema } from '../config/activity.options.js';
import { problemsOf } from '../config/check.js';
import { withTicket } from './call-ticket.js';
import { httpExchangeOf } from './http-exchange.js';
import { headerOf, originOf, requestOf } from './origin.js';
import { trackedMethodOf } from './tracked-methods.js';

/**
 * Hands what only the request knows to the wrapper of the handler, which starts the activity after guards and pipes.
 * Global, and nothing but a look-up for handlers that are not tracked.
 * @throws {BadRequestException} for a malformed `Activity-Batch-Id` header.
 */
@Injectable()
export class ActivityInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const handler = context.getHandler() as (...args: never[]) => unknown;
    const method = trackedMethodOf(context.getClass().prototype as object, handler);
    if (!method) return next.handle();
    const request = requestOf(context);
    const ticket = {
      original: method.original,
      context,
      request,
      origin: originOf(context, request),
      exchange: httpExchangeOf(context),
      batchId: batchIdOf(request),
    };
    // Nest binds the handler's call to the async context in which `handle` is called.
    return withTicket(ticket, () => next.handle());
  }
}

function batchIdOf(request: unknown): string | undefined {
  const value = headerOf(request, 'activity-batch-id');
  if (value === undefined) return undefined;
  const problems = problemsOf(batchIdSchema, value);
  if (problems.length > 0) throw new BadRequestException(`The header Activity-Batch-Id is ${problems.join('; ')}.`);
  return value;
}
