import { Logger } from '@nestjs/common';
import { CANCEL_WAITS } from '../index.js';
import { DEFAULT_WAIT_MS, MAX_REASON, MAX_WAIT_MS } from './admin-request.js';
import type { AdminRoutes } from './admin.routes.js';
import { activityDetailSchema, activitySchema, messagesSchema, pageSchema, problemSchema } from './openapi-schemas.js';
import type { JsonSchema } from './parameters.js';
import { CLEAR_PARAMETERS, LIST_PARAMETERS, MESSAGE_PARAMETERS, type Parameters } from './queries.js';

type Swagger = typeof import('@nestjs/swagger');
type Route = Exclude<keyof AdminRoutes, 'constructor'>;

interface RouteDocument {
  summary: string;
  description?: string;
  query?: Parameters;
  /** Name → description of the parameters in the path. */
  id?: true;
  body?: JsonSchema;
  answer: { status: number; description: string; schema: JsonSchema };
  /** What it answers beside, where it is asked to wait. */
  complete?: { status: number; description: string; schema: JsonSchema };
  problems: Record<number, string>;
}

const DENIED = { 401: 'The guard does not know who asks.', 403: 'The guard refuses.' };
const UNKNOWN = 'No activity has this id.';
const WRONG_QUERY = 'A parameter is wrong, unknown or given twice; `problems` names each.';

const ROUTES: Record<Route, RouteDocument> = {
  list: {
    summary: 'List activities, newest first',
    query: LIST_PARAMETERS,
    answer: { status: 200, description: 'One page.', schema: pageSchema },
    problems: { 400: WRONG_QUERY, ...DENIED },
  },
  get: {
    summary: 'Get one activity',
    id: true,
    answer: { status: 200, description: 'The activity.', schema: activityDetailSchema },
    problems: { ...DENIED, 404: UNKNOWN },
  },
  messages: {
    summary: "Read an activity's log, by `seq`",
    description: 'Ask again with `after` set to `next` to go on; `items` is empty when there is no more yet.',
    id: true,
    query: MESSAGE_PARAMETERS,
    answer: { status: 200, description: 'Lines of the log.', schema: messagesSchema },
    problems: { 400: WRONG_QUERY, ...DENIED, 404: UNKNOWN },
  },
  cancel: {
    summary: 'Ask an activity to stop',
    description:
      'One that runs is then `cancelling` until its work has stopped; with `criticalSection` it finishes that first. ' +
      'Asking twice is harmless; asking again with `force` ends it without its work.',
    id: true,
    body: {
      type: 'object',
      properties: {
        reason: { type: 'string', maxLength: MAX_REASON, nullable: true, description: 'Why, shown to operators.' },
        force: {
          type: 'boolean',
          description:
            'End it at once as `cancelled`, reason `forced`, though its work may still be running. It holds its slot ' +
            'until the work has ended.',
        },
        wait: {
          type: 'string',
          enum: CANCEL_WAITS,
          description: '`requested`, the default: answer at once. `settled`: when it has ended, or the time is over.',
        },
        timeoutMs: {
          type: 'integer',
          minimum: 1,
          maximum: MAX_WAIT_MS,
          default: DEFAULT_WAIT_MS,
          description: 'How long `settled` waits.',
        },
      },
      additionalProperties: false,
    },
    answer: { status: 202, description: 'Asked: the activity as it is now.', schema: activitySchema },
    complete: {
      status: 200,
      description: 'With `wait: settled`: the activity, which has ended.',
      schema: activitySchema,
    },
    problems: {
      400: 'The body is wrong.',
      ...DENIED,
      404: UNKNOWN,
      409: 'Too late, or not cancellable; `activityStatus` says where it stands.',
      415: 'The body is not JSON.',
    },
  },
  clearHistory: {
    summary: 'Delete ended activities',
    description: 'Needs a filter, or `all=true`. Active ones are spared.',
    query: CLEAR_PARAMETERS,
    answer: {
      status: 200,
      description: 'How many were deleted.',
      schema: { type: 'object', properties: { deleted: { type: 'integer' } }, required: ['deleted'] },
    },
    problems: { 400: `${WRONG_QUERY} Or neither a filter nor \`all=true\` is given.`, ...DENIED },
  },
};

let documented: Promise<void> | undefined;

/** Tells `@nestjs/swagger` of the routes, where the app has it; once, since they are the same for all applications. */
export function documentRoutes(routes: typeof AdminRoutes): Promise<void> {
  documented ??= import('@nestjs/swagger').then((swagger) => decorate(routes, swagger)).catch(orElse);
  return documented;
}

function decorate(routes: typeof AdminRoutes, swagger: Swagger): void {
  swagger.ApiTags('activities')(routes);
  for (const [name, route] of Object.entries(ROUTES)) {
    const descriptor = Object.getOwnPropertyDescriptor(routes.prototype, name)!;
    for (const decorator of decoratorsOf(route, swagger)) decorator(routes.prototype, name, descriptor);
  }
}

function decoratorsOf(route: RouteDocument, swagger: Swagger): MethodDecorator[] {
  const { summary, description, query = {}, id, body, answer, complete } = route;
  const problems = { ...route.problems, 500: 'Something went wrong; the log of the application says what.' };
  return [
    swagger.ApiOperation({ summary, description }),
    ...(id ? [swagger.ApiParam({ name: 'id', schema: { type: 'string', format: 'uuid' } })] : []),
    ...Object.entries(query).map(([name, parameter]) =>
      swagger.ApiQuery({
        name,
        required: false,
        description: parameter.description,
        schema: parameter.schema as object,
      }),
    ),
    ...(body ? [swagger.ApiBody({ required: false, schema: body as object })] : []),
    ...(complete ? [swagger.ApiResponse(complete)] : []),
    swagger.ApiResponse(answer),
    ...Object.entries(problems).map(([status, text]) =>
      swagger.ApiResponse({
        status: Number(status),
        description: text,
        content: { 'application/problem+json': { schema: problemSchema as object } },
      }),
    ),
  ];
}

/** Not installed: nothing to do. There but broken: said, since a document without these routes is hard to explain. */
function orElse(error: unknown): void {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const isNotFound = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
  // In quotes: the message also names the file that asked, which may be one of the package's own.
  if (isNotFound && String(message).includes("'@nestjs/swagger'")) return;
  new Logger('ActivityAdmin').warn(
    `The OpenAPI document lacks the admin API, @nestjs/swagger failed: ${String(error)}`,
  );
}
