// `npm start`: on a fresh clone this installs, builds and runs the demo; on a second call it just runs it.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { installWhenNeeded } from './dependencies.mjs';
import { root } from './root.mjs';

installWhenNeeded();
await build();

// In this very process: a SIGINT or SIGTERM reaches the app as if it had been started by hand, and its end is ours.
const main = join(root, 'dist/apps/demo/main.js');
process.argv[1] = main;
if (process.env.npm_lifecycle_event === 'start') endWithNpm();
await import(pathToFileURL(main).href);

/**
 * A signal sent to npm ends npm and its shell, and stops there: seen with npm 11 and dash, which left the app running
 * with its port. Losing the parent is then all that the app can notice.
 */
function endWithNpm() {
  const shell = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 250);
  watch.unref();
}
