import type { ServerResponse } from 'node:http';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import 'reflect-metadata';

// Where `@Sse()` leaves its mark on a handler.
const SSE = '__sse__';

/** Nest's stream of server-sent events, as far as it is used here. */
interface EventStream {
  commitHeaders(): void;
  readonly writableLength: number;
}

const streams = new WeakMap<ServerResponse, EventStream>();

/**
 * Refuses nothing: it notes the stream of an `@Sse()` handler's answer, which Nest pipes into the response after the
 * guards and before the interceptors.
 */
export const sseStreamGuard: CanActivate = {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType<string>() === 'http' && Reflect.getMetadata(SSE, context.getHandler()) === true) {
      const response = context.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
      const raw = response.raw ?? response;
      raw.once('pipe', (stream: unknown) => {
        if (typeof (stream as EventStream).commitHeaders === 'function') streams.set(raw, stream as EventStream);
      });
    }
    return true;
  },
};

/**
 * Keeps the head of an `@Sse()` answer back until the handler has given its Observable. With an interceptor in the way
 * Nest sends it a moment after the call, whatever the call will come to: an error would be an event on a stream with the
 * status 200. The first message sends the head in any case.
 * @returns lets it go; undefined where there is nothing to keep back.
 */
export function holdSseHead(response: ServerResponse): (() => void) | undefined {
  const stream = streams.get(response);
  if (!stream || response.headersSent) return undefined;
  streams.delete(response);
  const commit = stream.commitHeaders.bind(stream);
  let held = true;
  let asked = false;
  stream.commitHeaders = () => {
    if (held && stream.writableLength === 0) asked = true;
    else commit();
  };
  return () => {
    held = false;
    if (asked) commit();
  };
}
