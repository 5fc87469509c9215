import { once } from 'node:events';
import { createServer } from 'node:net';
import { DemoStartError } from './demo.settings.js';

/**
 * Tries a port before anything is opened: a second demo must not touch the database of the first.
 * @throws {DemoStartError} naming the way out.
 */
export async function refuseTakenPort(port: number, host: string): Promise<void> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, 'listening');
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'EADDRINUSE':
        throw new DemoStartError(`Port ${port} is taken by another program. Choose one: PORT=${port + 1} npm start`);
      case 'EACCES':
        throw new DemoStartError(`Port ${port} is not allowed to this user. Choose one: PORT=3000 npm start`);
      default:
        throw error;
    }
  } finally {
    probe.close();
  }
}
