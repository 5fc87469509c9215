import { AsyncLocalStorage } from 'node:async_hooks';
import type { ExecutionContext } from '@nestjs/common';
import type { Origin } from '../model/activity.js';

/** What the interceptor knows of a call, waiting for the wrapper of the handler that it names. */
export interface CallTicket {
  handler: unknown;
  context: ExecutionContext;
  request: unknown;
  origin: Origin;
  batchId?: string;
  taken: boolean;
}

const tickets = new AsyncLocalStorage<CallTicket>();

export function withTicket<T>(ticket: CallTicket, work: () => T): T {
  return tickets.run(ticket, work);
}

/** The ticket of the call at hand. It names its handler and is taken once, so a nested tracked call does not get it. */
export function takeTicket(handler: unknown): CallTicket | undefined {
  const ticket = tickets.getStore();
  if (!ticket || ticket.taken || ticket.handler !== handler) return undefined;
  ticket.taken = true;
  return ticket;
}
