import type { TrackedActivityOptions } from '../config/activity.options.js';
import { ActivityDecoratorError } from '../model/errors.js';
import { UseGuards } from '@nestjs/common';
import { injectRunner } from './injected-runner.js';
import { sseStreamGuard } from './sse-head.js';
import { isTracked, noteTrackedMethod } from './tracked-methods.js';
import { wrapMethod } from './wrap-method.js';

/**
 * Makes each call of a method an activity: it is recorded, can be cancelled, and settles with the method's outcome.
 * Works on controllers and on any provider, with other decorators in any order. The method keeps its shape: async →
 * promise, `Observable` → Observable, async generator → async iterable; a synchronous one is fine on a controller only.
 * @throws {ActivityOptionError} when an option is wrong, {ActivityDecoratorError} when it does not stand on a method;
 *   both when the class is defined.
 */
export function TrackedActivity(options: TrackedActivityOptions = {}): MethodDecorator {
  return <T>(target: object, key: string | symbol, descriptor?: TypedPropertyDescriptor<T>) => {
    if (typeof key === 'object' && key !== null && 'kind' in key) {
      throw new ActivityDecoratorError(
        '@TrackedActivity() was called as a standard decorator, but Nest works with the older kind: set ' +
          '`"experimentalDecorators": true` and `"emitDecoratorMetadata": true` in the tsconfig.json that compiles this file.',
      );
    }
    const where = whereOf(target, key);
    if (typeof descriptor?.value !== 'function') throw new ActivityDecoratorError(notAMethod(where, descriptor));
    if (typeof target === 'function') {
      throw new ActivityDecoratorError(
        `@TrackedActivity() stands on ${where}, a static method: there is no instance to track for. Make it an instance method.`,
      );
    }
    if (isTracked(target, key)) {
      throw new ActivityDecoratorError(
        `${where} has @TrackedActivity() twice: one call would be two activities. Keep one.`,
      );
    }
    const original = descriptor.value as (...args: unknown[]) => unknown;
    const wrapper = wrapMethod({ prototype: target, key, original, options, where });
    descriptor.value = wrapper as T;
    UseGuards(sseStreamGuard)(target, key, descriptor);
    noteTrackedMethod(target, { key, options, original });
    injectRunner(target);
  };
}

function whereOf(target: object, key: string | symbol): string {
  const owner = typeof target === 'function' ? target : target.constructor;
  return `${owner.name}.${String(key)}`;
}

function notAMethod(where: string, descriptor: PropertyDescriptor | undefined): string {
  return descriptor
    ? `@TrackedActivity() stands on ${where}, a getter or setter. Decorate a method.`
    : `@TrackedActivity() stands on ${where}, a property. An arrow function is made anew for each instance, so there is ` +
        `no method to wrap: write it as a method, \`async ${where.split('.')[1]}() { … }\`.`;
}
