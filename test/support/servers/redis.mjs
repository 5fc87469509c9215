import { once } from 'node:events';
import { connect } from 'node:net';
import { absence } from './absence.mjs';

const DEFAULT_URL = 'redis://127.0.0.1:6379';

/** @returns {Promise<{ url: string, absent?: string }>} */
export async function findRedis() {
  const url = process.env.TEST_REDIS_URL || DEFAULT_URL;
  let socket;
  try {
    const { hostname, port } = new URL(url);
    socket = connect({ host: hostname, port: Number(port || 6379) });
    socket.setTimeout(2_000, () => socket.destroy(new Error('no answer')));
    socket.write('PING\r\n');
    const [answer] = await once(socket, 'data');
    // A server that wants a password says NOAUTH: it is there, and the URL may hold the password.
    if (!/^(\+PONG|-NOAUTH)/.test(String(answer))) throw new Error('not Redis');
    return { url };
  } catch {
    return { url, absent: absence('Redis', url, 'TEST_REDIS_URL') };
  } finally {
    socket?.destroy();
  }
}
