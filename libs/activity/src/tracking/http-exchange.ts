import type { ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { whenResponseEnds, type ResponseEnd } from './response-end.js';

/** What both frameworks' responses have: Express's is Node's own, Fastify's has it in `raw`. */
interface FrameworkResponse {
  raw?: ServerResponse;
  /** Fastify: sets a header of the answer that its hooks see too. */
  header?(name: string, value: string): unknown;
  status(code: number): unknown;
}

/** The answer to one HTTP request, on Express and on Fastify alike. */
export class HttpExchange {
  /** Node's own response. */
  readonly response: ServerResponse;
  readonly #framework: FrameworkResponse;

  constructor(framework: FrameworkResponse) {
    this.#framework = framework;
    this.response = framework.raw ?? (framework as unknown as ServerResponse);
  }

  get headersSent(): boolean {
    return this.response.headersSent;
  }

  /** Sets a header, in place of an older one; does nothing once the headers are out. */
  setHeader(name: string, value: string): void {
    if (this.headersSent) return;
    // On Fastify in both places: an answer written to the raw response (Nest's server-sent events) has only its headers.
    if (this.#framework.raw) this.#framework.header?.(name, value);
    this.response.setHeader(name, value);
  }

  /** Sets the status; does nothing once the headers are out. */
  setStatus(code: number): void {
    if (!this.headersSent) this.#framework.status(code);
  }

  /**
   * Calls `listener` once, when the response has been sent or its client has left; soon, if that is past already.
   * @returns a function that stops the listening.
   */
  whenOver(listener: (end: ResponseEnd) => void): () => void {
    return whenResponseEnds(this.response, listener);
  }
}

/** The exchange of a call over HTTP; undefined for messages, gateways and GraphQL, whose answer is not the call's own. */
export function httpExchangeOf(context: ExecutionContext): HttpExchange | undefined {
  if (context.getType<string>() !== 'http') return undefined;
  return new HttpExchange(context.switchToHttp().getResponse<FrameworkResponse>());
}
