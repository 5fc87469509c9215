import * as v from 'valibot';
import { MESSAGE_LEVELS, type MessageLevel } from '../model/activity.js';

/** What one frame says: a line, progress, the step that begins. It never says how the activity ends. */
export interface OutputFrame {
  message?: string | undefined;
  level?: MessageLevel | undefined;
  progress?: number | { current?: number; total?: number | null; unit?: string | null } | undefined;
  step?: string | undefined;
}

/** Reads one JSON object; undefined: it is no frame but text. Nothing in what is given back: it says nothing. */
export type FrameReader = (value: Readonly<Record<string, unknown>>) => OutputFrame | undefined;

/** What the frames are called: a key, or the value of `type`. False: such frames are not read, and stay text. */
export interface FrameNames {
  log?: string | false;
  error?: string | false;
  progress?: string | false;
  step?: string | false;
}

const frameName = v.optional(
  v.union([v.literal(false), v.pipe(v.string(), v.minLength(1))], 'must be a name, or false'),
);

/** @internal */
export const frameNames = v.strictObject({ log: frameName, error: frameName, progress: frameName, step: frameName });

/**
 * A reader of `{"log":"…","level":"warn"}`, `{"error":"…"}`, `{"progress":40}`, `{"progress":{"current":4,"total":10}}`
 * and `{"step":"…"}`, in one object or several, and of the same with a `type`: `{"type":"log","message":"…"}`. What has
 * nothing of that in it is text; a value of the wrong kind is left out.
 */
export function namedFrames(names: FrameNames = {}): FrameReader {
  const { log = 'log', error = 'error', progress = 'progress', step = 'step' } = names;
  return (value) => {
    const type = textIn(value, 'type');
    const typed = type !== undefined;
    const is = (name: string | false): boolean =>
      name !== false && (typed ? type === name : Object.hasOwn(value, name));
    const keys = (name: string | false, ...others: string[]): string[] =>
      name === false ? [] : [name, ...(typed ? others : [])];
    const frame: OutputFrame = {};
    const failure = is(error) ? firstOf(keys(error, 'message'), (key) => errorIn(value, key)) : undefined;
    const message = is(log) ? firstOf(keys(log, 'message'), (key) => textIn(value, key)) : undefined;
    const reached = is(progress) ? progressIn(value, keys(progress, 'percent'), typed) : undefined;
    const begun = is(step) ? firstOf(keys(step, 'name'), (key) => textIn(value, key)) : undefined;
    const said = failure ?? message ?? (typed || log === false ? undefined : textIn(value, 'message'));
    if (said !== undefined) frame.message = said;
    if (reached !== undefined) frame.progress = reached;
    if (begun !== undefined) frame.step = begun;
    const level = failure === undefined ? levelIn(value) : 'error';
    if (level) frame.level = level;
    return said === undefined && reached === undefined && begun === undefined ? undefined : frame;
  };
}

/**
 * A line as a frame.
 * @returns undefined where it is no JSON object, or the reader does not know it, throws, or gives what is no frame: then
 *   it is text.
 */
export function readFrame(line: string, read: FrameReader): OutputFrame | undefined {
  const text = line.startsWith('\uFEFF') ? line.slice(1) : line;
  // Most lines that are no objects are known by their first character, and cost no exception.
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return frameOf(read(JSON.parse(text) as Record<string, unknown>));
  } catch {
    return undefined;
  }
}

/** What a reader of the user's own gives may be anything: a message that is a number, say, or a promise. */
function frameOf(read: unknown): OutputFrame | undefined {
  if (typeof read !== 'object' || read === null || 'then' in read) return undefined;
  const { message, level, progress, step } = read as OutputFrame;
  if (!isTextOrMissing(message) || !isTextOrMissing(step)) return undefined;
  return { message, level: MESSAGE_LEVELS.find((known) => known === level), progress, step };
}

function isTextOrMissing(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

/** The text of one key, if it is the value's own, and not empty. */
export function textIn(value: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const text = Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof text === 'string' && text.trim() !== '' ? text : undefined;
}

export function objectIn(value: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> | undefined {
  const object = Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof object === 'object' && object !== null && !Array.isArray(object)
    ? (object as Record<string, unknown>)
    : undefined;
}

export function countIn(value: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const count = Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof count === 'number' && Number.isFinite(count) && count >= 0 ? count : undefined;
}

function errorIn(value: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const error = objectIn(value, key);
  return error ? textIn(error, 'message') : textIn(value, key);
}

function levelIn(value: Readonly<Record<string, unknown>>): MessageLevel | undefined {
  const level = textIn(value, 'level');
  return MESSAGE_LEVELS.find((known) => known === level);
}

function progressIn(
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  typed: boolean,
): OutputFrame['progress'] | undefined {
  const percent = firstOf(keys, (key) => countIn(value, key));
  if (percent !== undefined) return percent;
  const counts = firstOf(keys, (key) => objectIn(value, key)) ?? (typed ? value : undefined);
  if (!counts) return undefined;
  const inside = countIn(counts, 'percent');
  if (inside !== undefined) return inside;
  const current = countIn(counts, 'current');
  const total = countIn(counts, 'total');
  const unit = textIn(counts, 'unit');
  if (current === undefined && total === undefined) return undefined;
  return {
    ...(current === undefined ? {} : { current }),
    ...(total === undefined ? {} : { total }),
    ...(unit === undefined ? {} : { unit }),
  };
}

function firstOf<T>(keys: readonly string[], read: (key: string) => T | undefined): T | undefined {
  for (const key of keys) {
    const found = read(key);
    if (found !== undefined) return found;
  }
  return undefined;
}
