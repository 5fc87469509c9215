import type { ActivityContext } from '../../execution/activity-context.js';
import type { ActivityRunner } from '../../execution/activity-runner.js';
import { withinTime } from '../../execution/bounded-wait.js';
import type { RunRequest } from '../../execution/run-request.js';
import type { Activity } from '../../model/activity.js';
import { activityForCaller } from '../../model/caller-view.js';
import type { ActivityAddresses } from '../activity-addresses.js';
import type { HttpExchange } from '../http-exchange.js';
import { readToEnd } from './read-to-end.js';
import type { Responder } from './responder.js';
import { retryAfterSeconds } from './retry-after.js';
import type { SeenDurations } from './seen-durations.js';

export interface AcceptedResponderParts {
  exchange: HttpExchange;
  addresses: ActivityAddresses;
  durations: SeenDurations;
  /** `https://example.org`, as the client has called it; undefined where the request does not say. */
  origin: string | undefined;
  /** How long the result is waited for first. */
  waitMs: number;
}

/**
 * Answers 202 once the start is recorded, with the activity as the body and the place to look; with `waitMs`, the result
 * or error itself if the work ends in time. The work goes on behind it: its error then stands on the row alone.
 * @see RFC 7240, AIP-151, and Azure's guidelines for `Operation-Location`
 */
export class AcceptedResponder implements Responder {
  constructor(private readonly parts: AcceptedResponderParts) {}

  async run(
    runner: ActivityRunner,
    request: RunRequest,
    body: (activity: ActivityContext) => unknown,
  ): Promise<unknown> {
    // Nobody reads the result but this.
    const { done, look } = await runner.launch({ ...request, answer: undefined }, body);
    const ended = done.then((value) => readToEnd(value));
    ended.catch(() => undefined);
    if (this.parts.waitMs > 0) {
      const late = Symbol('late');
      const value = await withinTime(ended, this.parts.waitMs, late);
      if (value !== late) return value;
    }
    const activity = await look();
    // Gone already, as a row that somebody deletes is: all that can be told is what it comes to.
    return activity ? this.#accept(activity) : ended;
  }

  #accept(activity: Activity): Activity {
    const { exchange, addresses, durations, origin } = this.parts;
    const address = addresses.of(activity.id);
    // This is the answer: nobody has left the work behind.
    exchange.begin();
    // Over what the handler's own decorators say of its result, which this is not.
    exchange.setStatus(202);
    exchange.setHeader('Content-Type', 'application/json; charset=utf-8');
    exchange.setHeader('Cache-Control', 'no-store');
    exchange.setHeader(
      'Retry-After',
      String(
        retryAfterSeconds({
          elapsedMs: Date.now() - activity.createdAt.getTime(),
          usualMs: durations.of(activity.type),
        }),
      ),
    );
    if (address !== undefined) {
      exchange.setHeader('Location', address);
      if (origin !== undefined) exchange.setHeader('Operation-Location', origin + address);
    }
    return activityForCaller(activity);
  }
}
