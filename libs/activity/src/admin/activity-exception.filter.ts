import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { ActivityError } from '../index.js';
import { sendProblem } from './send-problem.js';

/** Nest asks `error instanceof` what `@Catch` names; this answers by brand, so errors of another copy are caught too. */
// oxlint-disable-next-line typescript/no-extraneous-class -- `@Catch()` takes classes
class AnyActivityError {
  static [Symbol.hasInstance](error: unknown): boolean {
    return ActivityError.is(error);
  }
}

/**
 * For the app's own routes: answers errors of this package as `application/problem+json`, with the statuses of the admin
 * API: too late 409, no slot in time 503 with `Retry-After`, … All other errors go their usual way.
 *
 * `{ provide: APP_FILTER, useClass: ActivityExceptionFilter }`, or `@UseFilters(ActivityExceptionFilter)` on one class.
 */
@Catch(AnyActivityError)
export class ActivityExceptionFilter implements ExceptionFilter<ActivityError> {
  private readonly logger = new Logger('Activity');

  /** Outside HTTP: a message's sender gets status, code and text, as from Nest's own filter; else the error goes on. */
  catch(error: ActivityError, host: ArgumentsHost): void | Observable<never> {
    if (host.getType() === 'rpc') {
      return throwError(() => ({ status: 'error', code: error.code, message: error.message }));
    }
    if (host.getType() !== 'http') throw error;
    return sendProblem(error, host, this.logger);
  }
}
