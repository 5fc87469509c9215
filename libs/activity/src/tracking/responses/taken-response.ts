import type { ServerResponse } from 'node:http';

/** Express's response or Fastify's reply. */
export interface FrameworkResponse {
  raw?: ServerResponse;
  send(body?: unknown): unknown;
  json?(body?: unknown): unknown;
}

const TOO_LATE = ['setHeader', 'appendHeader', 'removeHeader', 'writeHead'] as const;

/**
 * Makes a response that is being streamed safe from those who think that they still answer it. Nest has no way to say
 * "this one is answered", so after the handler it calls `send` or `json` with what the interceptors have made of its
 * result; exception filters do the same with their body. That body goes to `onAnswer` in place of the wire. Headers that
 * are set after the first byte are dropped, where Node would throw. All of it by public names, on this one response.
 */
export function takeResponse(response: FrameworkResponse, onAnswer: (body: unknown, statusCode: number) => void): void {
  const raw = response.raw ?? (response as unknown as ServerResponse);
  for (const name of TOO_LATE) {
    const original = raw[name] as (...args: unknown[]) => unknown;
    Object.assign(raw, {
      [name]: (...args: unknown[]): unknown => (raw.headersSent ? raw : original.apply(raw, args)),
    });
  }
  const answer = (body?: unknown): unknown => {
    onAnswer(body, raw.statusCode);
    return response;
  };
  response.send = answer;
  if (response.json) response.json = answer;
}
