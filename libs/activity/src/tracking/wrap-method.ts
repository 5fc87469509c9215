import { Logger } from '@nestjs/common';
import { isObservable, type Observable } from 'rxjs';
import 'reflect-metadata';
import type { ReturnShape, TrackedActivityOptions } from '../config/activity.options.js';
import type { ActivityContext } from '../execution/activity-context.js';
import { withinActivity } from '../execution/ambient-activity.js';
import { FollowedIterator } from '../execution/follow-iterator.js';
import { observeRun } from '../execution/observe-run.js';
import type { RunRequest } from '../execution/run-request.js';
import type { RunningActivity } from '../execution/running-activity.js';
import { untrackedActivity } from '../execution/untracked-activity.js';
import { ActivityOptionError } from '../model/errors.js';
import { isPromise, type MaybePromise } from '../model/maybe-promise.js';
import { ticketFor } from './call-ticket.js';
import { runnerOf } from './injected-runner.js';
import { shapeOf } from './method-shape.js';
import { prepareOptions, type PreparedOptions } from './options-of-call.js';
import { PlainCalls } from './plain-call.js';
import { RequestOfCall } from './request-of-call.js';
import { activityParametersOf } from './tracked-methods.js';
import { warnUntracked } from './untracked-calls.js';

export interface MethodToWrap {
  prototype: object;
  key: string | symbol;
  original: (...args: unknown[]) => unknown;
  options: TrackedActivityOptions;
  /** `ClassName.methodName`, for messages and as the default type. */
  where: string;
}

/** Makes the method that takes the place of `original`: the same name, length, metadata and shape, and tracked. */
export function wrapMethod({ prototype, key, original, options, where }: MethodToWrap) {
  const prepared = prepareOptions(`@TrackedActivity on ${where}`, options, where);
  const shape = options.returns ?? shapeOf(prototype, key, original);
  refuseJoinOfStream(where, shape, prepared);
  const places = activityParametersOf(prototype, key);
  const plainCalls = new PlainCalls(where, key);
  const requests = new RequestOfCall({ prototype, key, prepared, onDisconnect: options.onDisconnect });
  const filled = (args: unknown[], activity: ActivityContext): unknown[] => {
    if (places.length === 0) return args;
    const all = [...args];
    for (const place of places) all[place] = activity;
    return all;
  };
  let noticed = false;
  const notice = (instance: object, value: unknown): void => {
    if (noticed || isPromise(value)) return;
    noticed = true;
    if (plainCalls.kindOf(instance) === undefined) new Logger('Activity').warn(shapeWarning(where, value));
  };

  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    const runner = runnerOf(this);
    if (!runner) {
      warnUntracked(this, prototype, where);
      return original.apply(this, filled(args, untrackedActivity));
    }
    const instance = this as object;
    const ticket = ticketFor(original) ?? plainCalls.of(instance);
    const asked = () => requests.of(runner, { instance, args, ticket });
    const body = (activity: ActivityContext) => {
      const value = original.apply(instance, filled(args, activity));
      if (shape === 'promise') notice(instance, value);
      return value;
    };
    // What is not handed over as a parameter need not be made.
    const work = (activity: RunningActivity) => body(places.length === 0 ? untrackedActivity : activity.context);
    const { responder } = ticket;
    // Nest awaits what a handler gives, so its shape need not be kept here.
    if (responder) return whenAsked(asked, (request) => responder.run(runner, request, body));
    switch (shape) {
      case 'observable':
        return observeRun(runner, asked, body as (activity: ActivityContext) => Observable<unknown>);
      case 'asyncIterable':
        return new FollowedIterator(async (onCreated) => {
          const one = await asked();
          const activity = await runner.begin({
            ...one,
            onCreated: (created) => {
              one.onCreated?.(created);
              onCreated(created);
            },
          });
          try {
            return { activity, source: withinActivity(activity, () => body(activity.context)) as AsyncGenerator };
          } catch (error) {
            // Default values and destructuring of the parameters throw at the call itself.
            await activity.finish({ ok: false, error });
            throw error;
          }
        });
      default:
        return whenAsked(asked, (request) => runner.runWork(request, work));
    }
  };
  copyFace(original, wrapper);
  return wrapper;
}

/** Runs what a call asks for. What it asks for may be refused: its caller gets a promise all the same. */
function whenAsked<T>(asked: () => MaybePromise<RunRequest>, run: (request: RunRequest) => Promise<T>): Promise<T> {
  try {
    const request = asked();
    return isPromise(request) ? request.then(run) : run(request);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** What a caller gets is not what the method gave, which its declared type did not tell. */
function shapeWarning(where: string, value: unknown): string {
  const isStream = typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
  const [what, wayOut] = isObservable(value)
    ? ['an Observable', "Declare it to return `Observable`, or say `returns: 'observable'`"]
    : isStream
      ? ['an async iterable', "Write it as an async generator, or say `returns: 'asyncIterable'`"]
      : ['a value', 'Make it `async`, so that its type says so'];
  return (
    `${where} returned ${what} at once, but with @TrackedActivity its callers get a promise, since a start is ` +
    `asynchronous. ${wayOut}.`
  );
}

/** Two readers cannot share one stream; what a function of the call says is found with the call. */
function refuseJoinOfStream(where: string, shape: ReturnShape, { fixed }: PreparedOptions): void {
  if (shape === 'promise' || fixed.exclusive?.onConflict !== 'join') return;
  throw new ActivityOptionError(`@TrackedActivity on ${where}`, [
    `\`exclusive.onConflict\` is "join", but the method returns a stream, which only its first caller can read: it must ` +
      "be 'reject', 'queue' or 'supersede' here",
  ]);
}

/** Name, length and metadata: frameworks read all three from the function that they find. */
function copyFace(from: (...args: never[]) => unknown, to: (...args: never[]) => unknown): void {
  Object.defineProperty(to, 'name', { value: from.name, configurable: true });
  Object.defineProperty(to, 'length', { value: from.length, configurable: true });
  for (const key of Reflect.getOwnMetadataKeys(from) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, from), to);
  }
  for (const key of Reflect.ownKeys(from)) {
    if (key === 'name' || key === 'length' || key === 'prototype') continue;
    Object.defineProperty(to, key, Object.getOwnPropertyDescriptor(from, key)!);
  }
}
