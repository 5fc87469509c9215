// A process of the bench's own that begins an activity for each message, and says when its body is called and aborted.
import { openRemoteApp } from './remote-app.js';

/** `at`: of the machine's monotonic clock, which all its processes share, in nanoseconds. */
export type RemoteWord =
  { kind: 'ready' } | { kind: 'running'; id: string } | { kind: 'aborted'; id: string; at: string };

const app = await openRemoteApp(JSON.parse(process.argv[2]!));
const say = (word: RemoteWord): void => void process.send!(word);

process.on('message', () => {
  const work = app.activities.run({ type: 'bench.remote' }, ({ id, signal }) => {
    say({ kind: 'running', id });
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        say({ kind: 'aborted', id, at: String(process.hrtime.bigint()) });
        reject(signal.reason as Error);
      });
    });
  });
  work.catch(() => undefined);
});
process.once('SIGTERM', () => void app.close().then(() => process.disconnect()));
say({ kind: 'ready' });
