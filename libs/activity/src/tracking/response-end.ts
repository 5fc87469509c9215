import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AnswerEnd } from '../execution/call-answer.js';

/** How the response has ended; undefined while it is open. */
export function responseEnd(response: ServerResponse): AnswerEnd | undefined {
  const connection = response.req?.socket as Socket | undefined;
  if (!response.writableFinished && !response.closed && !connection?.destroyed) return undefined;
  return response.writableEnded ? 'sent' : 'left';
}

/**
 * Calls `listener` once, when the response has been sent or its client has left; soon, if that is past already. The
 * request's own `close` does not tell: it comes as soon as its body has been read.
 * @returns a function that stops the listening.
 */
export function whenResponseEnds(response: ServerResponse, listener: (end: AnswerEnd) => void): () => void {
  const connection = response.req?.socket as Socket | undefined;
  let over = false;
  const tell = (): void => {
    if (over) return;
    stop();
    listener(response.writableEnded ? 'sent' : 'left');
  };
  const stop = (): void => {
    over = true;
    response.removeListener('finish', tell);
    response.removeListener('close', tell);
    if (connection) forgetConnection(connection, tell);
  };
  if (responseEnd(response)) {
    queueMicrotask(tell);
    return stop;
  }
  response.once('finish', tell).once('close', tell);
  // A pipelined response that waits behind others has no socket yet, and hears nothing when its connection goes.
  if (connection) watchConnection(connection, tell);
  return stop;
}

interface ConnectionWatch {
  listeners: Set<() => void>;
  onClose: () => void;
}

/** One listener on a connection for all requests that were pipelined on it. */
const watches = new WeakMap<Socket, ConnectionWatch>();

function watchConnection(connection: Socket, listener: () => void): void {
  let watch = watches.get(connection);
  if (!watch) {
    const listeners = new Set<() => void>();
    watch = { listeners, onClose: () => [...listeners].forEach((tell) => tell()) };
    watches.set(connection, watch);
    connection.once('close', watch.onClose);
  }
  watch.listeners.add(listener);
}

function forgetConnection(connection: Socket, listener: () => void): void {
  const watch = watches.get(connection);
  if (!watch?.listeners.delete(listener) || watch.listeners.size > 0) return;
  watches.delete(connection);
  connection.removeListener('close', watch.onClose);
}
