import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What stands between a client and its server, byte by byte. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts all connections; new ones are refused until `accept()`. */
  cut(): void;
  accept(): void;
  close(): Promise<void>;
}

/** @param filter  of what the server says, for each connection; by default all goes through. */
export async function tcpProxy(
  { host, port }: { host: string; port: number },
  filter: () => (chunk: Buffer) => Buffer = () => (chunk) => chunk,
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect(port, host);
    const through = filter();
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => (sockets.delete(socket), peer.destroy()));
    }
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => client.write(through(chunk)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    accept: () => (isCut = false),
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
