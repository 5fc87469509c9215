import { request, type Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { deferred } from '../support/deferred.js';

/** What a client has seen of an answer. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** `complete`: ended as HTTP says; `cut`: the connection went before. */
  end: 'complete' | 'cut';
}

export interface CallOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Leaves the body open: more of it would come. */
  sending?: boolean;
  agent?: Agent;
}

/** One request whose client can leave at any moment, which `fetch` does only with what it has not read yet. */
export class ClientCall {
  readonly #request: ClientRequest;
  readonly #headers = deferred<IncomingMessage>();
  readonly #whole = deferred<Answer>();
  readonly #waiting: { text: string; resolve: () => void }[] = [];
  #body = '';

  constructor(url: string, { method = 'GET', headers = {}, body, sending = false, agent }: CallOptions = {}) {
    // A client that leaves gets errors that nobody waits for.
    for (const { promise } of [this.#headers, this.#whole] as { promise: Promise<unknown> }[])
      promise.catch(() => undefined);
    this.#request = request(url, { method, headers, agent: agent ?? false });
    this.#request.on('response', (response) => this.#receive(response));
    this.#request.on('error', (error) => {
      this.#headers.reject(error);
      this.#whole.reject(error);
    });
    if (sending) this.#request.write(body);
    else this.#request.end(body);
  }

  /** Resolves with the head of the answer. */
  get answered(): Promise<IncomingMessage> {
    return this.#headers.promise;
  }

  /** Resolves when the answer has ended, or was cut after its head; rejects when there was no head. */
  get whole(): Promise<Answer> {
    return this.#whole.promise;
  }

  /** Resolves when this text has arrived. */
  received(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ text, resolve });
      this.#tell();
    });
  }

  /** The client goes away: its connection is cut. */
  leave(): void {
    this.#request.destroy();
  }

  #receive(response: IncomingMessage): void {
    this.#headers.resolve(response);
    const end = (how: Answer['end']): void =>
      this.#whole.resolve({ status: response.statusCode!, headers: response.headers, body: this.#body, end: how });
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      this.#body += chunk;
      this.#tell();
    });
    response.on('end', () => end('complete'));
    response.on('error', () => end('cut'));
    response.on('close', () => end('cut'));
  }

  #tell(): void {
    for (const { text, resolve } of this.#waiting) if (this.#body.includes(text)) resolve();
  }
}

/** A whole exchange. */
export function ask(url: string, options?: CallOptions): Promise<Answer> {
  return new ClientCall(url, options).whole;
}
