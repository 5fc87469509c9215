import * as v from 'valibot';
import { oneOf, problemsOf } from '../config/check.js';
import { MESSAGE_LEVELS } from '../model/activity.js';
import { ActivityQueryError } from '../model/errors.js';
import { ACTIVITY_SORTS } from '../model/sorts.js';
import { ACTIVITY_STATUSES } from '../model/statuses.js';
import type { ActivityFilter, ActivityQuery, MessageQuery } from './activity-store.js';
import { readCursor, readSortedCursor } from './list-cursor.js';

const MAX_PAGE = 200;
const MAX_MESSAGES = 1_000;

const text = v.string('must be text');
const textOrNull = v.nullish(text);
const date = v.custom<Date>(
  (value) => Object.prototype.toString.call(value) === '[object Date]' && !Number.isNaN((value as Date).getTime()),
  'must be a valid Date',
);
const status = oneOf(ACTIVITY_STATUSES);

function oneOrMore<const S extends v.GenericSchema>(schema: S) {
  return v.optional(v.lazy((input): v.GenericSchema => (Array.isArray(input) ? v.array(schema) : schema)));
}

function wholeNumber(from: number, to: number) {
  return v.optional(
    v.custom<number>(
      (value) => Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to,
      to === Number.MAX_SAFE_INTEGER ? `must be a whole number from ${from}` : `must be ${from} to ${to}`,
    ),
  );
}

const filterEntries = {
  status: oneOrMore(status),
  type: oneOrMore(text),
  scope: oneOrMore(text),
  resourceType: v.optional(text),
  resourceId: v.optional(text),
  actorId: textOrNull,
  batchId: textOrNull,
  parentId: textOrNull,
  createdFrom: v.optional(date),
  createdBefore: v.optional(date),
};
const filter = v.strictObject(filterEntries, 'must be an object');
const query = v.strictObject(
  {
    ...filterEntries,
    limit: wholeNumber(1, MAX_PAGE),
    search: v.optional(
      v.pipe(text, v.minLength(1, 'must not be empty'), v.maxLength(200, 'must be at most 200 characters')),
    ),
    sort: v.optional(oneOf(ACTIVITY_SORTS)),
    cursor: v.optional(
      v.custom<string>(
        (value) => readCursor(value) !== undefined || readSortedCursor(value) !== undefined,
        'must be the `nextCursor` of a page',
      ),
    ),
  },
  'must be an object',
);
const messageQuery = v.strictObject(
  {
    after: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    limit: wholeNumber(1, MAX_MESSAGES),
    level: v.optional(v.array(oneOf(MESSAGE_LEVELS), 'must be a list')),
  },
  'must be an object',
);
/** @throws {ActivityQueryError} naming each value that is not allowed, and what is. */
export function checkFilter(given: ActivityFilter): void {
  check(filter, given);
}
export function checkQuery(given: ActivityQuery): void {
  check(query, given);
  const { cursor, sort = '-created' } = given;
  if (cursor === undefined || (readSortedCursor(cursor)?.sort ?? '-created') === sort) return;
  throw new ActivityQueryError([`\`cursor\` is of a page in another order: ask for it with the \`sort\` of that page`]);
}
export function checkMessageQuery(given: MessageQuery): void {
  check(messageQuery, given);
}
function check(schema: v.GenericSchema, given: unknown): void {
  const problems = problemsOf(schema, given);
  if (problems.length > 0) throw new ActivityQueryError(problems);
}
