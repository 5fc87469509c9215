import type { ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import type { AnswerEnd, CallAnswer } from '../execution/call-answer.js';
import { isAnsweredByHandler } from './answered-by-handler.js';
import { responseEnd, whenResponseEnds } from './response-end.js';
import { holdSseHead } from './sse-head.js';

/** What both frameworks' responses have: Express's is Node's own, Fastify's has it in `raw`. */
interface FrameworkResponse {
  raw?: ServerResponse;
  /** Fastify: sets a header of the answer that its hooks see too. */
  header?(name: string, value: string): unknown;
  removeHeader?(name: string): unknown;
  getHeader(name: string): number | string | string[] | undefined;
  status(code: number): unknown;
}

/** The answer to one HTTP request, on Express and on Fastify alike. */
export class HttpExchange implements CallAnswer {
  /** Node's own response. */
  readonly response: ServerResponse;
  readonly #framework: FrameworkResponse;
  readonly #listeners = new Set<(end: AnswerEnd) => void>();
  readonly #whenAbandoned = new Set<() => void>();
  #stopWatching: (() => void) | undefined;
  #end: AnswerEnd | undefined;
  #releaseHead: (() => void) | undefined;

  constructor(
    framework: FrameworkResponse,
    /** True where the handler writes the answer (`@Res()` without passthrough), and Nest none. */
    readonly writtenByWork = false,
  ) {
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

  removeHeader(name: string): void {
    if (this.headersSent) return;
    if (this.#framework.raw) this.#framework.removeHeader?.(name);
    this.response.removeHeader(name);
  }

  /** Says that the answer depends on a header of the request, beside what others have said. */
  addVary(name: string): void {
    const before = this.#framework.getHeader('Vary');
    const names = [before ?? []].flat().flatMap((value) => String(value).split(/\s*,\s*/));
    if (names.some((one) => one === '*' || one.toLowerCase() === name.toLowerCase())) return;
    this.setHeader('Vary', [...names, name].join(', '));
  }

  /** Sets the status; does nothing once the headers are out. */
  setStatus(code: number): void {
    if (!this.headersSent) this.#framework.status(code);
  }

  get complete(): boolean {
    return this.response.writableEnded;
  }

  get failure(): Error | null {
    return this.response.errored ?? null;
  }

  /** How it has ended; undefined while it is open. */
  get end(): AnswerEnd | undefined {
    return (this.#end ??= responseEnd(this.response));
  }

  /**
   * Calls `listener` once, when the response has been sent or its client has left; soon, if that is past already. How it
   * ended is noted as it happens: who listens later hears the same, although Nest ends a response that was left.
   * @returns a function that stops the listening.
   */
  whenOver(listener: (end: AnswerEnd) => void): () => void {
    const own = (end: AnswerEnd): void => listener(end);
    this.#listeners.add(own);
    if (this.end) queueMicrotask(() => this.#tell());
    else this.#stopWatching ??= whenResponseEnds(this.response, (end) => this.#over(end));
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size > 0) return;
      this.#stopWatching?.();
      this.#stopWatching = undefined;
    };
  }

  /** Keeps the head of server-sent events back until the result begins. */
  holdHead(): void {
    this.#releaseHead = holdSseHead(this.response);
  }

  /** The call has been answered. If its result is yet to come, an interceptor has not waited for it (`timeout()`). */
  abandon(): void {
    for (const listener of this.#whenAbandoned) listener();
    this.#whenAbandoned.clear();
  }

  /** Calls `listener` when the call was answered without its result. @returns a function that stops the listening. */
  whenAbandoned(listener: () => void): () => void {
    this.#whenAbandoned.add(listener);
    return () => void this.#whenAbandoned.delete(listener);
  }

  begin(): void {
    this.#whenAbandoned.clear();
    this.#releaseHead?.();
    this.#releaseHead = undefined;
  }

  cut(): void {
    this.response.destroy();
  }

  #over(end: AnswerEnd): void {
    this.#end = end;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      this.#listeners.delete(listener);
      listener(this.#end!);
    }
  }
}

/** The exchange of a call over HTTP; undefined for messages, gateways and GraphQL, whose answer is not the call's own. */
export function httpExchangeOf(context: ExecutionContext): HttpExchange | undefined {
  if (context.getType<string>() !== 'http') return undefined;
  return new HttpExchange(context.switchToHttp().getResponse<FrameworkResponse>(), isAnsweredByHandler(context));
}
