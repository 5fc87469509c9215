import type { AddressInfo, Socket } from 'node:net';
import type { Server } from 'node:http';
import type { ModuleMetadata } from '@nestjs/common';
import { trackedApp, type HttpKind, type TrackedApp, type TrackedAppOptions } from '../support/tracked-app.js';

export const HTTP_KINDS: readonly (readonly [name: string, http: HttpKind])[] = [
  ['Express', 'express'],
  ['Fastify', 'fastify'],
];

export interface ServedApp extends TrackedApp {
  url: string;
  /** The connections that are open, as the server sees them. */
  sockets: ReadonlySet<Socket>;
  /** Resolves when the server has seen every client of now go. */
  whenClientsAreGone(): Promise<void>;
}

/** A tracked application that listens on a port of its own. */
export async function servedApp(
  http: HttpKind,
  metadata: ModuleMetadata,
  options: Omit<TrackedAppOptions, 'http'> = {},
): Promise<ServedApp> {
  const tracked = await trackedApp(metadata, { ...options, http });
  const sockets = new Set<Socket>();
  const server = tracked.app.getHttpServer() as Server;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await tracked.app.listen(0, '127.0.0.1');
  return {
    ...tracked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    // Not `once` of node:events, which rejects for the error that comes before the close.
    whenClientsAreGone: async () => {
      await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    },
  };
}
