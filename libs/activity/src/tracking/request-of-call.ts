import type { ActivitySettings } from '../config/activity-module.options.js';
import type { DisconnectPolicy } from '../config/activity.options.js';
import type { ActivityRunner } from '../execution/activity-runner.js';
import type { RunRequest } from '../execution/run-request.js';
import type { RunningActivity } from '../execution/running-activity.js';
import { isPromise, type MaybePromise } from '../model/maybe-promise.js';
import { nameActivity, nameJoined } from './answer-headers.js';
import { askedOf } from './asked-of-call.js';
import type { CallTicket } from './call-ticket.js';
import { cancelWithClient } from './client-disconnect.js';
import type { HttpExchange } from './http-exchange.js';
import { refuseKeyOfNobody } from './key-owner.js';
import { optionsOfCall, withDefaults, type OptionsOfCall, type PreparedOptions } from './options-of-call.js';
import type { PlainCall } from './plain-call.js';
import { isWrittenByHand } from './written-by-hand.js';

/** One call of a decorated method. */
export interface WrappedCall {
  instance: object;
  args: unknown[];
  ticket: CallTicket | PlainCall;
}

export interface RequestedMethod {
  prototype: object;
  key: string | symbol;
  prepared: PreparedOptions;
  /** Default: the module's. */
  onDisconnect: DisconnectPolicy | undefined;
}

/** What the runner is asked for by the calls of one decorated method. */
export class RequestOfCall {
  readonly #method: RequestedMethod;
  readonly #className: string;
  readonly #methodName: string;

  constructor(method: RequestedMethod) {
    this.#method = method;
    this.#className = method.prototype.constructor.name;
    this.#methodName = String(method.key);
  }

  /** A promise only where an option is promised. @throws {ActivityOptionError} see `optionsOfCall` */
  of(runner: ActivityRunner, call: WrappedCall): MaybePromise<RunRequest> {
    const { instance, args, ticket } = call;
    const { request, context } = ticket;
    const found = optionsOfCall(
      this.#method.prepared,
      { instance, args, className: this.#className, methodName: this.#methodName, request, context },
      runner.settings,
    );
    return isPromise(found)
      ? found.then((options) => this.#withOptions(runner, call, options))
      : this.#withOptions(runner, call, found);
  }

  #withOptions(runner: ActivityRunner, call: WrappedCall, found: OptionsOfCall): RunRequest {
    const { ticket } = call;
    const { batchId, onceKey: idempotencyKey, exchange, origin, onRefused } = ticket;
    const options = withDefaults(found.options, { batchId, idempotencyKey });
    refuseKeyOfNobody(options, found.leftOut);
    const request: RunRequest = { options, notes: found.notes, origin, onRefused };
    const isOnce = typeof options.idempotencyKey === 'string';
    if (isOnce) {
      const isHandler = exchange !== undefined || 'original' in ticket;
      request.asked = askedOf({ context: ticket.context, isHandler, args: call.args });
    }
    if (isOnce || options.exclusive) {
      const { prototype, key } = this.#method;
      request.isShared = !isWrittenByHand(prototype, key);
    }
    if (exchange) {
      request.answer = exchange;
      request.onCreated = (activity) => this.#attend(activity, exchange, runner.settings);
      request.onJoined = (joined) => nameJoined(joined, exchange);
    }
    return request;
  }

  #attend(activity: RunningActivity, exchange: HttpExchange, settings: ActivitySettings): void {
    nameActivity(activity, exchange);
    // From the start, since a client may leave before there is anything to read.
    activity.onRelease(exchange.whenOver(() => undefined));
    if ((this.#method.onDisconnect ?? settings.onDisconnect) === 'cancel') cancelWithClient(activity, exchange);
  }
}
