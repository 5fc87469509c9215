import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { sendProblem } from './send-problem.js';

/** Answers every error of the admin API's own routes, a guard's too. Bound to its controllers only. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('ActivityAdmin');

  catch(error: unknown, host: ArgumentsHost): void {
    sendProblem(error, host, this.logger);
  }
}
