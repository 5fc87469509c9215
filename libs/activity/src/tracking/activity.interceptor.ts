import {
  BadRequestException,
  Inject,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, finalize, type Observable } from 'rxjs';
import { ActivityAddresses } from './activity-addresses.js';
import { unnameActivity } from './answer-headers.js';
import { contextAround, withPassingCall, withTicket } from './call-ticket.js';
import { httpExchangeOf, type HttpExchange } from './http-exchange.js';
import { onceHeaderOf } from './once-header.js';
import { batchIdOf, originOf, requestOf } from './origin.js';
import { refusalOf, refusedOverHttp } from './refused-call.js';
import { ActivityResponses } from './responses/activity-responses.js';
import { trackedMethodOf } from './tracked-methods.js';

/**
 * Hands what only the request knows to the wrapper of the handler, which starts the activity after guards and pipes.
 * Global; for handlers that are not tracked it is a look-up, and a reference for what they call.
 * @throws {BadRequestException} for a malformed `Activity-Batch-Id` header.
 */
@Injectable()
export class ActivityInterceptor implements NestInterceptor {
  constructor(
    @Inject(ActivityAddresses) private readonly addresses: ActivityAddresses,
    @Inject(ActivityResponses) private readonly responses: ActivityResponses,
  ) {}

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
    const once = exchange ? onceHeaderOf(request) : {};
    if (once.problem !== undefined) throw new BadRequestException(once.problem);
    let refused: unknown;
    exchange?.holdHead();
    const ticket = {
      original: method.original,
      context,
      request,
      origin: originOf(context, request),
      exchange,
      responder:
        exchange &&
        this.responses.responderFor(method, { request, response: context.switchToHttp().getResponse(), exchange }),
      batchId,
      onceKey: once.key,
      onRefused: (error: unknown) => void (refused = error),
    };
    const result = withTicket(ticket, () => next.handle());
    if (!exchange) return result;
    return result.pipe(
      // What the handler throws goes on untouched; what the tracker refuses is no 500, whatever filters the app has.
      catchError((error: unknown) => {
        throw error === refused && refused !== undefined ? this.refuse(error, exchange) : error;
      }),
      finalize(() => exchange.abandon()),
    );
  }

  private refuse(error: unknown, exchange: HttpExchange): unknown {
    const refusal = refusedOverHttp(error, this.addresses);
    const answer = refusalOf(refusal);
    if (answer?.problem.code === 'ACTIVITY_CONFLICT') unnameActivity(exchange);
    for (const [name, value] of Object.entries(answer?.headers ?? {})) exchange.setHeader(name, value);
    if (answer?.problem.activityId !== undefined) exchange.setHeader('Activity-Id', answer.problem.activityId);
    return refusal;
  }
}
