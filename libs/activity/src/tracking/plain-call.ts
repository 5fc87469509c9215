import type { ExecutionContext } from '@nestjs/common';
import { ambientActivity } from '../execution/ambient-activity.js';
import { NO_ORIGIN } from '../execution/run-request.js';
import type { Origin } from '../model/activity.js';
import { contextAround } from './call-ticket.js';
import { frameworkCallOf } from './framework-calls.js';
import { batchIdOf, originOf, requestOf } from './origin.js';

/** What is known of a call that no ticket names. */
export interface PlainCall {
  context?: ExecutionContext;
  request?: unknown;
  origin: Origin;
  batchId?: string;
  onceKey?: undefined;
  onRefused?: undefined;
  /** The answer is the handler's. */
  exchange?: undefined;
  responder?: undefined;
}

/** Calls of these kinds come with a context: without one, other code has called the method by hand. */
const TOLD_BY_CONTEXT = new Set(['http', 'ws', 'rpc']);

/** The request in which the running code works; undefined outside of one, and within an activity, which knows already. */
export function requestAround(): (PlainCall & { context: ExecutionContext }) | undefined {
  const context = ambientActivity() ? undefined : contextAround();
  if (!context) return undefined;
  const request = requestOf(context);
  return { context, request, origin: originOf(context, request), batchId: batchIdOf(request).batchId };
}

/**
 * The calls of a method that is not the handler of the request: a service that a handler calls, an event listener, a cron
 * run.
 */
export class PlainCalls {
  /** By the framework that makes them. */
  readonly #kinds: FrameworkKinds;
  /** One without anything around it says no more than that. */
  readonly #alone: PlainCall;

  constructor(
    private readonly where: string,
    key: string | symbol,
  ) {
    this.#kinds = new FrameworkKinds(key);
    this.#alone = { origin: { ...NO_ORIGIN, label: where } };
  }

  /** Which framework calls the method of the instance: see `frameworkCallOf`. */
  kindOf(instance: object): string | undefined {
    return this.#kinds.of(instance);
  }

  of(instance: object): PlainCall {
    const kind = this.kindOf(instance);
    const around = requestAround();
    // So it has with a cron job inside of a request or an activity; an event listener is called there by its emitter.
    if (kind === undefined || TOLD_BY_CONTEXT.has(kind) || (kind === 'schedule' && (around || ambientActivity()))) {
      return around ?? this.#alone;
    }
    const { requestId, traceparent } = around?.origin ?? NO_ORIGIN;
    return { ...around, origin: { kind, label: this.where, requestId, traceparent } };
  }
}

/** `frameworkCallOf` for each class whose instances have the method. */
class FrameworkKinds {
  readonly #known = new WeakMap<object, { kind: string | undefined }>();

  constructor(private readonly key: string | symbol) {}

  of(instance: object): string | undefined {
    const prototype = Object.getPrototypeOf(instance) as Record<string | symbol, unknown>;
    let known = this.#known.get(prototype);
    if (!known) {
      known = { kind: frameworkCallOf(prototype, this.key, prototype[this.key]) };
      this.#known.set(prototype, known);
    }
    return known.kind;
  }
}
