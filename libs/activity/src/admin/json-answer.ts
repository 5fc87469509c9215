import type { ServerResponse } from 'node:http';

/** What Express's response and Fastify's reply have in common. */
export interface NativeResponse {
  status(code: number): this;
  header(name: string, value: string): this;
  send(body: string): unknown;
}

/** Answers of the admin API are nobody's to keep, to guess at or to frame. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

export function sendJson(response: NativeResponse, status: number, body: object): void {
  send(response, status, body, { ...HEADERS, 'Content-Type': 'application/json; charset=utf-8' });
}

/** As text, so that no serializer or replacer of the app changes it. */
export function send(
  response: NativeResponse | ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string>,
): void {
  const text = JSON.stringify(body);
  if ('header' in response) {
    response.status(status);
    for (const [name, value] of Object.entries(headers)) response.header(name, value);
    response.send(text);
  } else {
    // Fastify's middleware has no reply yet.
    response.writeHead(status, headers).end(text);
  }
}

/** Too late for an answer: all that is left is to end what was begun. */
export function endIfBegun(response: NativeResponse | ServerResponse | { raw: ServerResponse }): boolean {
  const raw = 'raw' in response ? response.raw : (response as ServerResponse);
  if (!raw.headersSent) return false;
  raw.end();
  return true;
}
