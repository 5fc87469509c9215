import 'reflect-metadata';
import type { TrackedActivityOptions } from '../config/activity.options.js';

/** What the decorator notes of one method, for the interceptor and for the checks at start. */
export interface TrackedMethod {
  key: string | symbol;
  options: TrackedActivityOptions;
  original: (...args: unknown[]) => unknown;
}

// Symbols of the global registry, so that two installed copies of the package know each other's methods.
const TRACKED = Symbol.for('nestjs-activity.tracked-method');
const METHODS = Symbol.for('nestjs-activity.tracked-methods');
const PARAMETERS = Symbol.for('nestjs-activity.current-activity-parameters');

type Handler = (...args: never[]) => unknown;

/** Notes on the class and on the wrapper itself that the method is tracked. */
export function noteTrackedMethod(prototype: object, method: TrackedMethod, wrapper: Handler): void {
  Object.defineProperty(wrapper, TRACKED, { value: method });
  const own = (Reflect.getOwnMetadata(METHODS, prototype) as TrackedMethod[] | undefined) ?? [];
  Reflect.defineMetadata(METHODS, [...own, method], prototype);
}

/** What is noted of a handler; undefined for one that is not tracked. A property read: it is asked for each request. */
export function trackedMethodOf(handler: Handler): TrackedMethod | undefined {
  return (handler as { [TRACKED]?: TrackedMethod })[TRACKED];
}

/** The tracked methods of a class and of those it extends, without those that a subclass has overridden. */
export function trackedMethodsOf(prototype: object): TrackedMethod[] {
  const found = new Map<string | symbol, TrackedMethod | undefined>();
  for (
    let at: object | null = prototype;
    at && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const method of (Reflect.getOwnMetadata(METHODS, at) as TrackedMethod[] | undefined) ?? []) {
      if (!found.has(method.key)) found.set(method.key, method);
    }
    for (const key of Reflect.ownKeys(at)) if (!found.has(key)) found.set(key, undefined);
  }
  return [...found.values()].filter((method) => method !== undefined);
}

/** Notes that the parameter at `index` is to be filled with the activity. */
export function noteActivityParameter(prototype: object, key: string | symbol, index: number): void {
  Reflect.defineMetadata(PARAMETERS, [...activityParametersOf(prototype, key), index], prototype, key);
}

/** Places of the parameters that the activity fills. */
export function activityParametersOf(prototype: object, key: string | symbol): number[] {
  return (Reflect.getOwnMetadata(PARAMETERS, prototype, key) as number[] | undefined) ?? [];
}
