import { Logger } from '@nestjs/common';
import { isObservable, type Observable } from 'rxjs';
import 'reflect-metadata';
import type { ActivitySettings } from '../config/activity-module.options.js';
import type { ReturnShape, TrackedActivityOptions } from '../config/activity.options.js';
import type { ActivityRunner } from '../execution/activity-runner.js';
import type { ActivityContext } from '../execution/activity-context.js';
import { withinActivity } from '../execution/ambient-activity.js';
import { FollowedIterator } from '../execution/follow-iterator.js';
import { observeRun } from '../execution/observe-run.js';
import type { JoinedRun } from '../execution/joined-run.js';
import type { RunRequest } from '../execution/run-request.js';
import type { RunningActivity } from '../execution/running-activity.js';
import { untrackedActivity } from '../execution/untracked-activity.js';
import { ActivityOptionError } from '../model/errors.js';
import { nameActivity, nameJoined } from './answer-headers.js';
import { askedOf } from './asked-of-call.js';
import { ticketFor, type CallTicket } from './call-ticket.js';
import { cancelWithClient } from './client-disconnect.js';
import type { HttpExchange } from './http-exchange.js';
import { runnerOf } from './injected-runner.js';
import { refuseKeyOfNobody } from './key-owner.js';
import { shapeOf } from './method-shape.js';
import { optionsOfCall, prepareOptions, type PreparedOptions } from './options-of-call.js';
import { FrameworkKinds, plainCall, type PlainCall } from './plain-call.js';
import { activityParametersOf } from './tracked-methods.js';
import { isWrittenByHand } from './written-by-hand.js';
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
  const kinds = new FrameworkKinds(key);
  const [className, methodName] = [prototype.constructor.name, String(key)];

  const filled = (args: unknown[], activity: ActivityContext): unknown[] => {
    if (places.length === 0) return args;
    const all = [...args];
    for (const place of places) all[place] = activity;
    return all;
  };
  const attend = (activity: RunningActivity, exchange: HttpExchange, settings: ActivitySettings): void => {
    nameActivity(activity, exchange);
    // From the start, since a client may leave before there is anything to read.
    activity.onRelease(exchange.whenOver(() => undefined));
    if ((options.onDisconnect ?? settings.onDisconnect) === 'cancel') cancelWithClient(activity, exchange);
  };
  const request = async (
    runner: ActivityRunner,
    call: { instance: object; args: unknown[]; ticket: CallTicket | PlainCall },
  ): Promise<RunRequest> => {
    const { instance, args, ticket } = call;
    const {
      options: found,
      notes,
      leftOut,
    } = await optionsOfCall(
      prepared,
      { instance, args, className, methodName, request: ticket.request, context: ticket.context },
      runner.settings,
    );
    if (ticket.batchId !== undefined && found.batchId === undefined) found.batchId = ticket.batchId;
    if (ticket.onceKey !== undefined && found.idempotencyKey === undefined) found.idempotencyKey = ticket.onceKey;
    refuseKeyOfNobody(found, leftOut);
    const { exchange, origin } = ticket;
    const isOnce = typeof found.idempotencyKey === 'string';
    return {
      options: found,
      notes,
      answer: exchange,
      onCreated: exchange && ((activity) => attend(activity, exchange, runner.settings)),
      origin,
      ...(isOnce
        ? {
            asked: askedOf({
              context: ticket.context,
              isHandler: exchange !== undefined || 'original' in ticket,
              args,
            }),
          }
        : {}),
      ...(isOnce || found.exclusive ? { isShared: !isWrittenByHand(prototype, key) } : {}),
      ...(exchange ? { onJoined: (joined: JoinedRun) => nameJoined(joined, exchange) } : {}),
      onRefused: ticket.onRefused,
    };
  };

  let noticed = false;
  const notice = (instance: object, value: unknown): void => {
    if (noticed || isThenable(value)) return;
    noticed = true;
    if (kinds.of(instance) === undefined) new Logger('Activity').warn(shapeWarning(where, value));
  };

  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    const runner = runnerOf(this);
    if (!runner) {
      warnUntracked(this, prototype, where);
      return original.apply(this, filled(args, untrackedActivity));
    }
    const instance = this as object;
    const ticket = ticketFor(original) ?? plainCall(where, kinds.of(instance));
    const asked = () => request(runner, { instance, args, ticket });
    const body = (activity: ActivityContext) => {
      const value = original.apply(instance, filled(args, activity));
      if (shape === 'promise') notice(instance, value);
      return value;
    };
    // What is not handed over as a parameter need not be made.
    const work = (activity: RunningActivity) => body(places.length === 0 ? untrackedActivity : activity.context);
    const { responder } = ticket;
    // Nest awaits what a handler gives, so its shape need not be kept here.
    if (responder) return asked().then((one) => responder.run(runner, one, body));
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
        return asked().then((one) => runner.runWork(one, work));
    }
  };
  copyFace(original, wrapper);
  return wrapper;
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value;
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
