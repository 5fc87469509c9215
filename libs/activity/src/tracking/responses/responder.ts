import type { ActivityContext } from '../../execution/activity-context.js';
import type { ActivityRunner } from '../../execution/activity-runner.js';
import type { RunRequest } from '../../execution/run-request.js';

/** Runs the work of one HTTP call for a way of answering that is not simply its result. */
export interface Responder {
  /**
   * @returns what goes on to the interceptors and to Nest.
   * @throws what the start throws (it is then answered as any error); after that, what the mode says.
   */
  run(runner: ActivityRunner, request: RunRequest, body: (activity: ActivityContext) => unknown): Promise<unknown>;
}
