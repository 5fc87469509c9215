import * as v from 'valibot';
import { ActivityOptionError } from '../model/errors.js';
import { toMilliseconds } from './duration.js';

/** What is wrong with one value: a list of it may be as long as the list that was given. */
const MAX_PROBLEMS = 10;

/** A positive duration, given out in milliseconds. */
export const duration = v.pipe(
  v.custom<number | string>(
    (value) => toMilliseconds(value) !== undefined,
    'must be a positive number of milliseconds or text such as "30s" or "10m"',
  ),
  v.transform((value) => toMilliseconds(value)!),
);

/** The same, or 0 for none. */
export const durationOrNone = v.union(
  [v.literal(0), duration],
  'must be 0, a positive number of milliseconds or text such as "30s" or "10m"',
);

export const positiveInteger = v.custom<number>(
  (value) => Number.isSafeInteger(value) && (value as number) > 0,
  'must be a whole number of at least 1',
);

/** Text of 1 to `max` characters without control characters, so that it can be a key, a filter and a line of a log. */
export function name(max: number) {
  return v.custom<string>(
    (value) => typeof value === 'string' && value.length > 0 && value.length <= max && !/\p{Cc}/u.test(value),
    `must be text of 1 to ${max} characters without control characters`,
  );
}

export const truth = v.boolean('must be true or false');

export function oneOf<const T extends readonly string[]>(allowed: T) {
  return v.picklist(allowed, `must be one of ${allowed.map((one) => `'${one}'`).join(', ')}`);
}

export const callable = v.custom<(...args: never[]) => unknown>(
  (value) => typeof value === 'function',
  'must be a function',
);

/**
 * Checks options against their schema and gives them out as the schema makes them (durations in milliseconds).
 * @throws {ActivityOptionError} naming each option that is wrong, its value and what is allowed.
 */
export function checked<const S extends v.GenericSchema>(where: string, schema: S, options: unknown): v.InferOutput<S> {
  const problems = problemsOf(schema, options);
  if (problems.length > 0) throw new ActivityOptionError(where, problems);
  return v.parse(schema, options);
}

/** What is wrong with a value, a sentence each: the first ten, and how many more. Empty when nothing is. */
export function problemsOf(schema: v.GenericSchema, value: unknown): string[] {
  const issues = v.safeParse(schema, value).issues ?? [];
  const problems = issues.slice(0, MAX_PROBLEMS).map((issue) => describe(issue, schema));
  return issues.length > MAX_PROBLEMS ? [...problems, `… and ${issues.length - MAX_PROBLEMS} more`] : problems;
}

function describe(issue: v.BaseIssue<unknown>, schema: v.GenericSchema): string {
  const path = v.getDotPath(issue) ?? '';
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return `unknown option \`${path}\`${allowedBeside(path, schema)}`;
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') return `\`${path}\` is missing`;
  return path ? `\`${path}\` is ${shown(issue.input)}: it ${issue.message}` : `${shown(issue.input)}: ${issue.message}`;
}

function allowedBeside(path: string, schema: v.GenericSchema): string {
  if (path.includes('.') || !('entries' in schema)) return '';
  return ` (allowed: ${Object.keys(schema.entries as object).join(', ')})`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (Object.prototype.toString.call(value) === '[object RegExp]') return String(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
