import * as v from 'valibot';
import type { ActivitySettings, ActorCall } from '../config/activity-module.options.js';
import {
  activityOptionEntries,
  checkTrackedActivityOptions,
  type ActivityOptions,
  type CheckedActivityOptions,
  type TrackedActivityOptions,
} from '../config/activity.options.js';
import { problemsOf } from '../config/check.js';
import { withinTime } from '../execution/bounded-wait.js';
import { ActivityOptionError } from '../model/errors.js';
import { errorText } from '../model/stored-error.js';
import { actorOfCall } from './default-actor.js';

type OptionName = keyof ActivityOptions;
type AskForOption = (call: ActorCall) => unknown;

/** The options of a decorator, sorted once: what is fixed, and what is asked for with each call. */
export interface PreparedOptions {
  type: string;
  fixed: Partial<CheckedActivityOptions>;
  asked: readonly (readonly [OptionName, AskForOption])[];
}

export interface OptionsOfCall {
  options: CheckedActivityOptions;
  /** What could not be used, a sentence each; the call goes on without it. */
  notes: string[];
  /** The same by the option's name, with the reason alone. */
  leftOut: ReadonlyMap<string, string>;
}

/**
 * Checks and sorts the options of a decorator.
 * @throws {ActivityOptionError} when the class is defined, so a mistake never reaches a request.
 */
export function prepareOptions(where: string, options: TrackedActivityOptions, defaultType: string): PreparedOptions {
  checkTrackedActivityOptions(where, options);
  const fixed: Record<string, unknown> = { type: options.type ?? defaultType };
  const asked: (readonly [OptionName, AskForOption])[] = [];
  for (const [name, value] of Object.entries(options) as [OptionName, unknown][]) {
    // What is said of the method, not of its activity, is not among the options of an activity.
    if (!(name in activityOptionEntries) || value === undefined) continue;
    if (typeof value === 'function') asked.push([name, value as AskForOption]);
    else fixed[name] = valueOf(name, value);
  }
  return { type: fixed.type as string, fixed, asked };
}

/** Options that promise something to the caller: without them the call must not go on. */
const PROMISES: readonly OptionName[] = ['exclusive', 'idempotencyKey'];

/**
 * The options of one call. A function that throws, or gives a value that is not allowed, must not break the call: the
 * option is left out, and a note says so.
 * @throws {ActivityOptionError} for `exclusive` and `idempotencyKey`: work that must not run twice is not run at all.
 */
export async function optionsOfCall(
  { type, fixed, asked }: PreparedOptions,
  call: ActorCall,
  settings: ActivitySettings,
): Promise<OptionsOfCall> {
  const options: Record<string, unknown> = { ...fixed };
  const notes: string[] = [];
  const leftOut = new Map<string, string>();
  const leaveOut = (name: OptionName, why: string, cause?: unknown): void => {
    if (PROMISES.includes(name)) throw new ActivityOptionError(`\`${name}\` of ${type}`, [why], { cause });
    leftOut.set(name, why);
    notes.push(`The option \`${name}\` of ${type} is left out: ${why}.`);
  };
  const ask = async (name: OptionName, source: AskForOption): Promise<void> => {
    let value: unknown;
    try {
      value = await answerOf(source(call), settings.startTimeout);
    } catch (error) {
      return leaveOut(name, `its function threw "${errorText(error)}"`, error);
    }
    if (value === undefined) return;
    const problems = problemsOf(activityOptionEntries[name], value);
    if (problems.length === 0) options[name] = valueOf(name, value);
    else leaveOut(name, problems.join('; '));
  };
  for (const [name, source] of asked) await ask(name, source);
  if (options.scope === undefined && settings.scope) await ask('scope', settings.scope);
  // An actor that is asked for and is not there is no one: the request's user must not be put in its place.
  if (!('actor' in fixed) && !asked.some(([name]) => name === 'actor')) {
    if (settings.actor) await ask('actor', settings.actor);
    else options.actor = actorOfCall(call.request, call.context) ?? undefined;
  }
  return { options: options as CheckedActivityOptions, notes, leftOut };
}

/** An option that does not answer in time must not keep the call waiting. */
async function answerOf(answer: unknown, withinMs: number): Promise<unknown> {
  if (!isPromise(answer)) return answer;
  const late = Symbol('late');
  const value = await withinTime(answer, withinMs, late);
  if (value === late) throw new Error(`it did not answer within ${withinMs} ms`);
  return value;
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

function valueOf(name: OptionName, value: unknown): unknown {
  return v.parse(activityOptionEntries[name], value);
}
