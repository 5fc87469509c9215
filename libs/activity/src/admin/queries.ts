import type * as v from 'valibot';
import {
  ACTIVITY_SORTS,
  ACTIVITY_STATUSES,
  ActivityQueryError,
  MESSAGE_LEVELS,
  type ActivityFilter,
  type ActivityQuery,
  type MessageQuery,
} from '../index.js';
import { anyOf, anyOfThese, exactly, flag, oneOfThese, time, uuid, wholeNumber, type Parameter } from './parameters.js';
import { firstProblems, readValues } from './read-values.js';

export type Parameters = Record<string, Parameter<unknown>>;
type Read<P extends Parameters> = { -readonly [K in keyof P]?: v.InferOutput<P[K]['read']> };

/** Longer than what is kept of an id: one that was cut when it was stored is found by the whole of it. */
const MAX_ID = 1_000;

const FILTER_PARAMETERS = {
  status: anyOfThese(ACTIVITY_STATUSES, 'Status.'),
  type: anyOf(128, 'Type, such as `image.pull`.'),
  scope: exactly(64, 'Scope: the tenant or environment.'),
  resourceType: exactly(MAX_ID, 'Type of the resource.'),
  resourceId: exactly(MAX_ID, 'Id of the resource.'),
  actor: exactly(MAX_ID, 'Id of the one who asked.'),
  batch: exactly(64, 'Id of the batch.'),
  parent: uuid('Id of the activity that started it.'),
  from: time('start', 'Created at this time or later.'),
  to: time('end', 'Created before this time; a day alone is included.'),
} satisfies Parameters;

export const LIST_PARAMETERS = {
  ...FILTER_PARAMETERS,
  search: exactly(
    200,
    'Text in the title, type, resource, actor, step, newest line or error; small and capital letters alike.',
  ),
  sort: oneOfThese(
    ACTIVITY_SORTS,
    'In which order. All but `-created` sort the newest 20,000 that the filters leave.',
    '-created',
  ),
  limit: wholeNumber(1, 200, 'How many at most.', 50),
  cursor: exactly(1_000, '`nextCursor` of the page before, with the same filters and `sort`.'),
} satisfies Parameters;

export const MESSAGE_PARAMETERS = {
  after: wholeNumber(0, Number.MAX_SAFE_INTEGER, 'Lines after this `seq`.', 0),
  limit: wholeNumber(1, 1000, 'How many at most.', 200),
  level: anyOfThese(MESSAGE_LEVELS, 'Level.'),
} satisfies Parameters;

export const CLEAR_PARAMETERS = {
  ...FILTER_PARAMETERS,
  all: flag('In place of a filter: the whole history is meant.'),
} satisfies Parameters;

/** What the list route was asked for. @throws {ActivityQueryError} */
export function readListQuery(url: string): ActivityQuery {
  const { search, sort, limit, cursor, ...filter } = read(LIST_PARAMETERS, url);
  return { ...toFilter(filter), search, sort, limit, cursor };
}

/** @throws {ActivityQueryError} */
export function readMessageQuery(url: string): MessageQuery {
  return read(MESSAGE_PARAMETERS, url);
}

/** What the clear-history route was asked for: a filter or all, said outright. @throws {ActivityQueryError} */
export function readClearQuery(url: string): ActivityFilter & { all?: boolean } {
  const { all, ...filter } = read(CLEAR_PARAMETERS, url);
  const filters = Object.keys(filter).length;
  if (!all && filters === 0) {
    throw new ActivityQueryError([
      'without a filter the whole history would be deleted: say `all=true` if that is meant',
    ]);
  }
  if (all && filters > 0) throw new ActivityQueryError(['`all=true` stands beside a filter: give one of them']);
  return { ...toFilter(filter), all };
}

function toFilter(given: Read<typeof FILTER_PARAMETERS>): ActivityFilter {
  const { status, type, scope, resourceType, resourceId, actor, batch, parent, from, to } = given;
  return {
    status,
    type,
    scope,
    resourceType,
    resourceId,
    actorId: actor,
    batchId: batch,
    parentId: parent,
    createdFrom: from,
    createdBefore: to,
  };
}

/**
 * Reads the query from the URL itself, so that no query parser and no pipe of the app makes a difference.
 * @throws {ActivityQueryError} with what is wrong, the first ten of it.
 */
function read<P extends Parameters>(parameters: P, url: string): Read<P> {
  const query = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '');
  const { values, problems } = readValues(
    Object.fromEntries(Object.entries(parameters).map(([name, parameter]) => [name, parameter.read])),
    Object.fromEntries(query),
    'parameter',
  );
  for (const [name, { several }] of Object.entries(parameters)) {
    if (query.getAll(name).length < 2) continue;
    const instead = several ? `give several as one list with commas, as in \`${name}=a,b\`` : 'give it once';
    problems.push(`\`${name}\` is given more than once: ${instead}`);
  }
  if (problems.length > 0) throw new ActivityQueryError(firstProblems(problems));
  return values;
}
