import { Logger } from '@nestjs/common';
import { isMadeByNest } from './injected-runner.js';

/** Classes that have been told of: one warning each. */
const told = new WeakSet<object>();
/** Applications with a tracker that run in this process now. */
let trackers = 0;

/** @returns says that the application has stopped. */
export function noteTracker(): () => void {
  trackers++;
  let stopped = false;
  return () => {
    if (!stopped) trackers--;
    stopped = true;
  };
}

/**
 * One warning a class where a tracked method runs untracked inside an application: never silently. A `new Service()` of
 * a unit test, where no application runs, stays quiet.
 */
export function warnUntracked(instance: unknown, prototype: object, method: string): void {
  if (told.has(prototype)) return;
  const text = warningFor(instance, method);
  if (!text) return;
  told.add(prototype);
  new Logger('Activity').warn(text);
}

function warningFor(instance: unknown, method: string): string | undefined {
  if (typeof instance !== 'object' || instance === null) {
    return (
      `${method} was called without its instance (\`this\` is ${instance === null ? 'null' : typeof instance}), so the ` +
      'call is not tracked. Call it on the instance, or bind it: `instance.method.bind(instance)`.'
    );
  }
  if (isMadeByNest(instance)) {
    return (
      `${method} is decorated with @TrackedActivity, but this application has no activity tracker, so its calls are ` +
      'not tracked. Add `ActivityModule.forRoot()` to the imports of the root module.'
    );
  }
  if (trackers === 0) return undefined;
  return (
    `${method} was called on an instance that Nest did not construct and the tracker could not find at the start (made ` +
    'per request or later by a factory, inside another value, or by `new`), so the call is not tracked. Make the class a ' +
    'provider, or track the call with `activities.run(…)`.'
  );
}
