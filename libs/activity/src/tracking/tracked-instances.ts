import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import 'reflect-metadata';
import type { ActivityRunner } from '../execution/activity-runner.js';
import { ActivityDecoratorError } from '../model/errors.js';
import { frameworkCallOf } from './framework-calls.js';
import { handOverRunner } from './injected-runner.js';
import { declaredSynchronous } from './method-shape.js';
import { activityParametersOf, trackedMethodsOf } from './tracked-methods.js';

/**
 * Looks through the application once, at its start: gives instances that Nest did not construct their runner, and
 * refuses tracked methods whose callers would get a promise in place of a value.
 * @throws {ActivityDecoratorError} naming the method and the way out.
 */
export function readyTrackedInstances(discovery: DiscoveryService, runner: ActivityRunner): void {
  const controllers = new Set(discovery.getControllers().map((wrapper) => prototypeOf(wrapper)));
  for (const wrapper of [...discovery.getControllers(), ...discovery.getProviders()]) {
    const prototype = prototypeOf(wrapper);
    if (!prototype) continue;
    warnOfStrayParameters(prototype);
    const methods = trackedMethodsOf(prototype);
    if (methods.length === 0) continue;
    if (!controllers.has(prototype))
      for (const { key, original } of methods) refuseSynchronous(prototype, key, original);
    const instance: unknown = wrapper.isDependencyTreeStatic() ? wrapper.instance : undefined;
    if (typeof instance === 'object' && instance !== null) handOverRunner(instance, runner);
  }
}

interface Wrapper {
  metatype: unknown;
  inject?: unknown;
  instance: unknown;
  isDependencyTreeStatic(): boolean;
}

function prototypeOf(wrapper: Wrapper): object | undefined {
  const byClass = typeof wrapper.metatype === 'function' && !wrapper.inject ? wrapper.metatype : undefined;
  if (byClass) return (byClass as { prototype?: object }).prototype;
  if (!wrapper.isDependencyTreeStatic()) return undefined;
  try {
    const { instance } = wrapper;
    if (typeof instance !== 'object' || instance === null) return undefined;
    return Object.getPrototypeOf(instance) as object | undefined;
  } catch {
    // A stranger's proxy: not one of ours.
    return undefined;
  }
}

function refuseSynchronous(prototype: object, key: string | symbol, original: (...args: never[]) => unknown): void {
  const declared = declaredSynchronous(prototype, key, original);
  const method = (prototype as Record<string | symbol, unknown>)[key];
  if (!declared || frameworkCallOf(prototype, key, method)) return;
  const where = `${prototype.constructor.name}.${String(key)}`;
  throw new ActivityDecoratorError(
    `${where} is declared to return ${declared}, but a start is asynchronous: with @TrackedActivity its callers would get ` +
      `a promise. Declare it \`async ${String(key)}(…): Promise<${declared.toLowerCase() in primitives ? declared.toLowerCase() : declared}>\`, ` +
      'or track it where it is called, with `activities.run(…)`.',
  );
}

const primitives = { string: 1, number: 1, boolean: 1 };

function warnOfStrayParameters(prototype: object): void {
  const tracked = new Set(trackedMethodsOf(prototype).map((method) => method.key));
  for (const key of Reflect.ownKeys(prototype)) {
    if (activityParametersOf(prototype, key).length === 0 || tracked.has(key)) continue;
    new Logger('Activity').warn(
      `${prototype.constructor.name}.${String(key)} has a @CurrentActivity() parameter but no @TrackedActivity(), so it ` +
        'is never filled. Decorate the method, or call `currentActivity()` inside.',
    );
  }
}
