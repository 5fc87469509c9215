import {
  BadRequestException,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { finalize, type Observable } from 'rxjs';
import { contextAround, withPassingCall, withTicket } from './call-ticket.js';
import { httpExchangeOf } from './http-exchange.js';
import { batchIdOf, originOf, requestOf } from './origin.js';
import { trackedMethodOf } from './tracked-methods.js';

/**
 * Hands what only the request knows to the wrapper of the handler, which starts the activity after guards and pipes.
 * Global; for handlers that are not tracked it is a look-up, and a reference for what they call.
 * @throws {BadRequestException} for a malformed `Activity-Batch-Id` header.
 */
@Injectable()
export class ActivityInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    // Message handlers have it a second time, for hybrid applications: see message-handlers.ts.
    if (contextAround() === context) return next.handle();
    const handler = context.getHandler() as (...args: never[]) => unknown;
    const method = trackedMethodOf(context.getClass().prototype as object, handler);
    // Nest binds the handler's call to the async context in which `handle` is called.
    if (!method) return withPassingCall(context, () => next.handle());
    const request = requestOf(context);
    const { batchId, problem } = batchIdOf(request);
    if (problem !== undefined) throw new BadRequestException(problem);
    const exchange = httpExchangeOf(context);
    exchange?.holdHead();
    const ticket = {
      original: method.original,
      context,
      request,
      origin: originOf(context, request),
      exchange,
      batchId,
    };
    const result = withTicket(ticket, () => next.handle());
    return exchange ? result.pipe(finalize(() => exchange.abandon())) : result;
  }
}
