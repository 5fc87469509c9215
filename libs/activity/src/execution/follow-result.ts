import { isObservable } from 'rxjs';
import { followIterator } from './follow-iterator.js';
import { followObservable } from './follow-observable.js';
import type { RunningActivity } from './running-activity.js';

/**
 * For a result that goes on after the body has returned it: the same kind of result, with whose end the activity ends.
 * Undefined for a result that is complete.
 */
export function followResult(activity: RunningActivity, value: unknown): unknown {
  if (isObservable(value)) return followObservable(activity, value);
  if (isAsyncGenerator(value)) return followIterator(activity, value);
  return undefined;
}

function isAsyncGenerator(value: unknown): value is AsyncGenerator {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.asyncIterator in value &&
    typeof (value as AsyncGenerator).next === 'function' &&
    typeof (value as AsyncGenerator).return === 'function'
  );
}
