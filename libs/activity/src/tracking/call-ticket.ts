import { AsyncLocalStorage } from 'node:async_hooks';
import type { ExecutionContext } from '@nestjs/common';
import { ambientActivity } from '../execution/ambient-activity.js';
import type { RunningActivity } from '../execution/running-activity.js';
import type { Origin } from '../model/activity.js';
import type { HttpExchange } from './http-exchange.js';
import type { Responder } from './responses/responder.js';
import type { TrackedMethod } from './tracked-methods.js';

/** What the interceptor knows of a call, for the wrapper of the method that it names. */
export interface CallTicket {
  original: TrackedMethod['original'];
  context: ExecutionContext;
  request: unknown;
  origin: Origin;
  /** The answer to the call, if it came over HTTP. */
  exchange?: HttpExchange;
  /** For an answer that is not simply the result. */
  responder?: Responder;
  batchId?: string;
  /** The key that the caller has named in a header. */
  onceKey?: string;
  /** Told why, when the tracker itself refuses the call. */
  onRefused?: (error: unknown) => void;
}

interface IssuedTicket extends CallTicket {
  /** The activity around the call itself; within the call's own activity there is another. */
  around: RunningActivity | undefined;
}

/** Of a call whose handler is not tracked itself, only a reference is kept: most such calls track nothing. */
interface PassingCall {
  original?: undefined;
  context: ExecutionContext;
}

const calls = new AsyncLocalStorage<IssuedTicket | PassingCall>();

export function withTicket<T>(ticket: CallTicket, work: () => T): T {
  return calls.run({ ...ticket, around: ambientActivity() }, work);
}

/** For a call whose handler is not tracked: what it calls may be. */
export function withPassingCall<T>(context: ExecutionContext, work: () => T): T {
  return calls.run({ context }, work);
}

/**
 * The ticket of the call at hand. It names its method, and a tracked call nested in that one is told by the activity
 * around it, so it does not get it; a second run of the handler (an interceptor that tries again) does.
 */
export function ticketFor(original: TrackedMethod['original']): CallTicket | undefined {
  const call = calls.getStore();
  return call?.original === original && call.around === ambientActivity() ? call : undefined;
}

/** The call from outside in which the running code works, whether its handler is tracked or not. */
export function contextAround(): ExecutionContext | undefined {
  return calls.getStore()?.context;
}
