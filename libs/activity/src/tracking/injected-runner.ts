import { Inject, Logger, Optional } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import 'reflect-metadata';
import { ActivityRunner } from '../execution/activity-runner.js';

// The descriptions stand in Nest's own error where an injection fails, so they say what to do.
const RUNNER = Symbol('the activity tracker (import ActivityModule.forRoot() in the root module)');
const MODULE_REF = Symbol('ModuleRef (for @TrackedActivity)');

interface Tracked {
  [RUNNER]?: ActivityRunner;
  [MODULE_REF]?: ModuleRef;
}

/** Runners of instances that Nest did not construct. Weak: two apps in one process share nothing else. */
const handedOver = new WeakMap<object, ActivityRunner>();
const told = new WeakSet<object>();

/** Asks Nest to inject the runner into each instance of the class; once a class, however many methods are tracked. */
export function injectRunner(prototype: object): void {
  if (Object.hasOwn(prototype, RUNNER)) return;
  Object.defineProperty(prototype, RUNNER, { value: undefined, writable: true });
  for (const [key, token] of [
    [RUNNER, ActivityRunner],
    [MODULE_REF, ModuleRef],
  ] as const) {
    Inject(token)(prototype, key);
    Optional()(prototype, key);
  }
}

/** Gives an instance that Nest did not construct (`useFactory`, `useValue`) its runner. */
export function handOverRunner(instance: object, runner: ActivityRunner): void {
  if ((instance as Tracked)[RUNNER] === undefined) handedOver.set(instance, runner);
}

/** The runner of an instance, undefined where there is none: then the method runs untracked. */
export function runnerOf(instance: unknown): ActivityRunner | undefined {
  if (typeof instance !== 'object' || instance === null) return undefined;
  return (instance as Tracked)[RUNNER] ?? handedOver.get(instance);
}

/**
 * One warning a class where a tracked method runs untracked inside an application. A `new Service()` of a unit test has
 * no `ModuleRef`, so it stays quiet there.
 */
export function warnUntracked(instance: unknown, prototype: object, method: string): void {
  if (told.has(prototype)) return;
  const unbound = typeof instance !== 'object' || instance === null;
  if (!unbound && !(instance as Tracked)[MODULE_REF]) return;
  told.add(prototype);
  new Logger('Activity').warn(
    unbound
      ? `${method} was called without its instance (\`this\` is ${instance === null ? 'null' : typeof instance}), so the call is not tracked. ` +
          'Call it on the instance, or bind it: `instance.method.bind(instance)`.'
      : `${method} is decorated with @TrackedActivity, but this application has no activity tracker, so its calls are ` +
          'not tracked. Add `ActivityModule.forRoot()` to the imports of the root module.',
  );
}
