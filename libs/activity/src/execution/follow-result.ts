import { isObservable } from 'rxjs';
import type { CallAnswer } from './call-answer.js';
import { followAnswer } from './follow-answer.js';
import { followAsyncIterable, isAsyncIterable } from './follow-iterable.js';
import { followReturnedObservable } from './follow-observable.js';
import { followStream, streamOf } from './follow-stream.js';
import { followWebStream, isWebStream } from './follow-web-stream.js';
import type { RunningActivity } from './running-activity.js';

/**
 * For a result that goes on after the body has returned it: what the caller gets for it, with whose end the activity
 * ends. A Node stream (also in a `StreamableFile`) and an async iterable are followed in place, so it is the same object;
 * an Observable and a web stream give one of the same kind. Undefined for a result that is complete.
 *
 * One that nobody reads has succeeded as it is, with a line that says so: once its answer has been sent without it, or,
 * where there is no answer, when nobody has read it within the grace.
 */
export function followResult(
  activity: RunningActivity,
  value: unknown,
  answer: CallAnswer | undefined,
): { value: unknown } | undefined {
  // Not begun yet: it may fail at once when it is subscribed.
  if (isObservable(value)) return { value: followReturnedObservable(activity, value, answer) };
  const followed = followHere(activity, value, answer);
  if (followed) answer?.begin();
  return followed;
}

function followHere(
  activity: RunningActivity,
  value: unknown,
  answer: CallAnswer | undefined,
): { value: unknown } | undefined {
  const stream = streamOf(value);
  if (stream) {
    followStream(activity, stream, answer);
    return { value };
  }
  if (isWebStream(value) && !value.locked) return { value: followWebStream(activity, value, answer) };
  if (isAsyncIterable(value)) return { value: followAsyncIterable(activity, value, answer) };
  if (answer?.writtenByWork) {
    followAnswer(activity, answer);
    return { value };
  }
  return undefined;
}
