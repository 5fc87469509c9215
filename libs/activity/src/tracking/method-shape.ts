import 'reflect-metadata';
import { Observable } from 'rxjs';
import type { ReturnShape } from '../config/activity.options.js';

type Method = (...args: never[]) => unknown;

const AsyncFunction = (async () => undefined).constructor;
const AsyncGeneratorFunction = async function* () {}.constructor;

/** The shape that the wrapper must keep: what its callers expect to get at once. */
export function shapeOf(prototype: object, key: string | symbol, method: Method): ReturnShape {
  if (method instanceof AsyncGeneratorFunction) return 'asyncIterable';
  const declared = declaredReturn(prototype, key);
  // By name too: two copies of RxJS have two Observables.
  if (declared === Observable || declared?.name === 'Observable') return 'observable';
  return 'promise';
}

/**
 * The class that a method is declared to return, if that is one whose values come at once: its callers would get a
 * promise in their place. Undefined where the type is not known (no annotation, an interface, a union, `void`).
 */
export function declaredSynchronous(prototype: object, key: string | symbol, method: Method): string | undefined {
  if (method instanceof AsyncFunction || method instanceof AsyncGeneratorFunction) return undefined;
  const declared = declaredReturn(prototype, key);
  if (!declared || declared === Object || declared === Promise || declared.name === 'Observable') return undefined;
  if (typeof declared.prototype === 'object' && declared.prototype !== null && 'then' in declared.prototype)
    return undefined;
  return declared.name;
}

function declaredReturn(prototype: object, key: string | symbol): { name: string; prototype?: unknown } | undefined {
  const declared: unknown = Reflect.getMetadata('design:returntype', prototype, key);
  return typeof declared === 'function' ? declared : undefined;
}
