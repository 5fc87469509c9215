import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { ActivityError, refusalOf } from '../index.js';
import { problemOf } from './problem.js';
import { sendProblem } from './send-problem.js';

/** Nest asks `error instanceof` what `@Catch` names; this answers by brand, so errors of another copy are caught too. */
// oxlint-disable-next-line typescript/no-extraneous-class -- `@Catch()` takes classes
class AnyActivityError {
  static [Symbol.hasInstance](error: unknown): boolean {
    return ActivityError.is(error) || refusalOf(error) !== undefined;
  }
}

/**
 * For the app's own calls. Over HTTP it answers errors of this package as `application/problem+json`, with the statuses of
 * the admin API: too late 409, no slot in time 503 with `Retry-After`, … The sender of a message and the client of a
 * gateway get `{ status: 'error', code, message }` where they get Nest's own errors, GraphQL's the code among the
 * `extensions`. All other errors go their usual way.
 *
 * `{ provide: APP_FILTER, useClass: ActivityExceptionFilter }`, or `@UseFilters(ActivityExceptionFilter)` on one class.
 */
@Catch(AnyActivityError)
export class ActivityExceptionFilter implements ExceptionFilter<ActivityError> {
  private readonly logger = new Logger('Activity');

  catch(error: ActivityError, host: ArgumentsHost): void | Observable<never> {
    switch (host.getType<string>()) {
      case 'http':
        return sendProblem(error, host, this.logger);
      case 'rpc': {
        const told = this.tell(error);
        return throwError(() => told);
      }
      case 'ws':
        return sendToClient(host.switchToWs().getClient<GatewayClient>(), this.tell(error));
      default: {
        const { code, message } = this.tell(error);
        throw Object.assign(new Error(message, { cause: error }), { extensions: { code } });
      }
    }
  }

  /** What a client may read of it; the rest is for the log. */
  private tell(error: ActivityError): { status: 'error'; code: string; message: string } {
    const { problem, isKept } = problemOf(error);
    if (isKept) this.logger.error(error);
    return { status: 'error', code: problem.code, message: problem.detail };
  }
}

/** A `WebSocket` of `ws`, or a socket of Socket.IO, which has no `readyState`. */
interface GatewayClient {
  readyState?: number;
  send(text: string): void;
  emit(event: string, data: unknown): void;
}

/** As Nest's own filter sends a `WsException`. */
function sendToClient(client: GatewayClient, data: unknown): void {
  if (typeof client.readyState === 'number') client.send(JSON.stringify({ event: 'exception', data }));
  else client.emit('exception', data);
}
