import 'reflect-metadata';
import type { TrackedActivityOptions } from '../config/activity.options.js';

/** What the decorator notes of one method, for the interceptor and for the checks at start. */
export interface TrackedMethod {
  key: string | symbol;
  options: TrackedActivityOptions;
  original: (...args: unknown[]) => unknown;
}

// Symbols of the global registry, so that two installed copies of the package know each other's methods.
const METHODS = Symbol.for('nestjs-activity.tracked-methods');
const PARAMETERS = Symbol.for('nestjs-activity.current-activity-parameters');

type Handler = (...args: never[]) => unknown;

/** Answers of `trackedMethodOf`, which is asked with each request; null: not tracked. */
const known = new WeakMap<Handler, TrackedMethod | null>();

/** Notes on the class that the method is tracked. */
export function noteTrackedMethod(prototype: object, method: TrackedMethod): void {
  Reflect.defineMetadata(METHODS, [...ownMethods(prototype), method], prototype);
}

/** True when the class itself (not one that it extends) has tracked the method already. */
export function isTracked(prototype: object, key: string | symbol): boolean {
  return ownMethods(prototype).some((method) => method.key === key);
}

/**
 * The tracked method that a handler is, undefined for one that is not tracked. Found by its place in the class, since a
 * decorator above `@TrackedActivity` may have wrapped the wrapper once more.
 */
export function trackedMethodOf(prototype: object, handler: Handler): TrackedMethod | undefined {
  let method = known.get(handler);
  if (method === undefined) {
    const places = prototype as Record<string | symbol, unknown>;
    method = trackedMethodsOf(prototype).find(({ key }) => places[key] === handler) ?? null;
    known.set(handler, method);
  }
  return method ?? undefined;
}

/** The tracked methods of a class and of those it extends, without those that a subclass has overridden. */
export function trackedMethodsOf(prototype: object): TrackedMethod[] {
  const found = new Map<string | symbol, TrackedMethod | undefined>();
  for (
    let at: object | null = prototype;
    at && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const method of ownMethods(at)) if (!found.has(method.key)) found.set(method.key, method);
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

function ownMethods(prototype: object): TrackedMethod[] {
  return (Reflect.getOwnMetadata(METHODS, prototype) as TrackedMethod[] | undefined) ?? [];
}
