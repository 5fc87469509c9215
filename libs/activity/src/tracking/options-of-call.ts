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
import { isPromise, type MaybePromise } from '../model/maybe-promise.js';
import { errorText } from '../model/stored-error.js';
import { actorOfCall } from './default-actor.js';

type OptionName = keyof ActivityOptions;
type AskForOption = (call: ActorCall) => unknown;
type Question = readonly [name: OptionName, source: AskForOption];

/** The options of a decorator, sorted once: what is fixed, and what is asked for with each call. */
export interface PreparedOptions {
  fixed: Readonly<Partial<CheckedActivityOptions> & { type: string }>;
  asked: readonly Question[];
}

export interface OptionsOfCall {
  /** May be those of every call: to be copied, not changed. */
  options: Readonly<CheckedActivityOptions>;
  /** What could not be used, a sentence each; the call goes on without it. */
  notes: readonly string[];
  /** The same by the option's name, with the reason alone. */
  leftOut: ReadonlyMap<string, string>;
}

/**
 * Checks and sorts the options of a decorator.
 * @throws {ActivityOptionError} when the class is defined, so a mistake never reaches a request.
 */
export function prepareOptions(where: string, options: TrackedActivityOptions, defaultType: string): PreparedOptions {
  checkTrackedActivityOptions(where, options);
  const fixed: PreparedOptions['fixed'] = { type: options.type ?? defaultType };
  const asked: Question[] = [];
  for (const [name, value] of Object.entries(options) as [OptionName, unknown][]) {
    // What is said of the method, not of its activity, is not among the options of an activity.
    if (!(name in activityOptionEntries) || value === undefined) continue;
    if (typeof value === 'function') asked.push([name, value as AskForOption]);
    else Object.assign(fixed, { [name]: valueOf(name, value) });
  }
  return { fixed, asked };
}

/** Options that promise something to the caller, or to all others: without them the call must not go on. */
const PROMISES: readonly OptionName[] = ['exclusive', 'idempotencyKey', 'limit'];
const NO_NOTES: readonly string[] = [];
const NOTHING: ReadonlyMap<string, string> = new Map();

/**
 * The options of one call; a promise only where one of them is promised. A function that throws, or gives a value that is
 * not allowed, must not break the call: the option is left out, and a note says so.
 * @throws {ActivityOptionError} for `exclusive` and `idempotencyKey`: work that must not run twice is not run at all; and for
 *   `limit`: nothing runs beside it unlimited.
 */
export function optionsOfCall(
  { fixed, asked }: PreparedOptions,
  call: ActorCall,
  settings: ActivitySettings,
): MaybePromise<OptionsOfCall> {
  // An actor that is asked for and is not there is no one: the request's user must not be put in its place.
  const isActorSaid = fixed.actor !== undefined || asked.some(([name]) => name === 'actor');
  const actor = isActorSaid || settings.actor ? null : actorOfCall(call.request, call.context);
  const options = (actor ? { ...fixed, actor } : fixed) as CheckedActivityOptions;
  const questions = [...asked];
  if (settings.scope) questions.push(['scope', settings.scope]);
  if (settings.actor && !isActorSaid) questions.push(['actor', settings.actor]);
  if (questions.length === 0) return { options, notes: NO_NOTES, leftOut: NOTHING };
  return new AskedOptions(options, call, settings.startTimeout).ask(questions);
}

class AskedOptions implements OptionsOfCall {
  readonly options: CheckedActivityOptions;
  readonly notes: string[] = [];
  readonly leftOut = new Map<string, string>();

  constructor(
    known: CheckedActivityOptions,
    private readonly call: ActorCall,
    private readonly timeoutMs: number,
  ) {
    this.options = { ...known };
  }

  /** One after the other: what is known already is not asked for. */
  ask(questions: readonly Question[], from = 0): MaybePromise<OptionsOfCall> {
    for (let place = from; place < questions.length; place++) {
      const [name, source] = questions[place]!;
      if (this.options[name] !== undefined) continue;
      const waiting = this.#askFor(name, source);
      if (waiting) return waiting.then(() => this.ask(questions, place + 1));
    }
    return this;
  }

  #askFor(name: OptionName, source: AskForOption): Promise<void> | undefined {
    let answer: unknown;
    try {
      answer = source(this.call);
    } catch (error) {
      return this.#threw(name, error);
    }
    if (!isPromise(answer)) return this.#take(name, answer);
    return inTime(answer, this.timeoutMs).then(
      (value) => this.#take(name, value),
      (error: unknown) => this.#threw(name, error),
    );
  }

  #take(name: OptionName, value: unknown): undefined {
    if (value === undefined) return;
    const problems = problemsOf(activityOptionEntries[name], value);
    if (problems.length > 0) this.#leaveOut(name, problems.join('; '));
    else Object.assign(this.options, { [name]: valueOf(name, value) });
  }

  #threw(name: OptionName, error: unknown): undefined {
    this.#leaveOut(name, `its function threw "${errorText(error)}"`, error);
  }

  #leaveOut(name: OptionName, why: string, cause?: unknown): void {
    const { type } = this.options;
    if (PROMISES.includes(name)) throw new ActivityOptionError(`\`${name}\` of ${type}`, [why], { cause });
    this.leftOut.set(name, why);
    this.notes.push(`The option \`${name}\` of ${type} is left out: ${why}.`);
  }
}

/** What the request says, where the options say nothing. */
export function withDefaults(
  options: Readonly<CheckedActivityOptions>,
  { batchId, idempotencyKey }: Pick<CheckedActivityOptions, 'batchId' | 'idempotencyKey'>,
): Readonly<CheckedActivityOptions> {
  if (batchId === undefined && idempotencyKey === undefined) return options;
  return {
    ...options,
    batchId: options.batchId === undefined ? batchId : options.batchId,
    idempotencyKey: options.idempotencyKey === undefined ? idempotencyKey : options.idempotencyKey,
  };
}

/** An option that does not answer in time must not keep the call waiting. */
async function inTime(answer: PromiseLike<unknown>, withinMs: number): Promise<unknown> {
  const late = Symbol('late');
  const value = await withinTime(answer, withinMs, late);
  if (value === late) throw new Error(`it did not answer within ${withinMs} ms`);
  return value;
}

function valueOf(name: OptionName, value: unknown): unknown {
  return v.parse(activityOptionEntries[name], value);
}
