import { ActivityDecoratorError } from '../model/errors.js';
import { noteActivityParameter } from './tracked-methods.js';

/**
 * Fills a parameter of a `@TrackedActivity` method with its `ActivityContext`, in controllers and plain providers alike.
 * Not made with `createParamDecorator`: beside an undecorated payload of a message handler, Nest would lose the payload.
 */
export function CurrentActivity(): ParameterDecorator {
  return (target, key, index) => {
    if (key === undefined) {
      throw new ActivityDecoratorError(
        `@CurrentActivity() stands in the constructor of ${(target as { name?: string }).name}, where there is no call ` +
          'yet. Use it on a parameter of a @TrackedActivity method, or call `currentActivity()`.',
      );
    }
    noteActivityParameter(target, key, index);
  };
}
