import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { DataSourceOptions } from 'typeorm';

/** A way to a database server that can be cut, or stand still, for those who go by it. */
export interface WeakLink {
  /** The database by this way. */
  options: DataSourceOptions;
  /** Connections break, and none can be made. */
  cut(): void;
  /** Connections stay, and nothing comes through. */
  freeze(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function weakLink(options: DataSourceOptions): Promise<WeakLink> {
  const { host, port } = options as { host: string; port: number };
  const sockets = new Set<Socket>();
  let isCut = false;
  let isFrozen = false;
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isFrozen) from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    options: { ...options, host: '127.0.0.1', port: (server.address() as AddressInfo).port } as DataSourceOptions,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      isFrozen = false;
      for (const socket of sockets) socket.resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
