import {
  ACTIVITY_REASONS,
  ACTIVITY_STATUSES,
  FINAL_STATUSES,
  MESSAGE_LEVELS,
  type Activity,
  type ActivityMessage,
  type ActivityPage,
  type ActivityStep,
  type ActivitySummary,
  type ActivityProblem,
  type Progress,
  type UsualDuration,
} from '../index.js';
import type { JsonSchema } from './parameters.js';

const text: JsonSchema = { type: 'string' };
const number: JsonSchema = { type: 'number' };
const count: JsonSchema = { type: 'integer', minimum: 0 };
const truth: JsonSchema = { type: 'boolean' };
const uuid: JsonSchema = { type: 'string', format: 'uuid' };
const time: JsonSchema = { type: 'string', format: 'date-time' };
const anything: JsonSchema = { type: 'object', additionalProperties: true };
const orNull = (schema: JsonSchema): JsonSchema => ({ ...schema, nullable: true });
const about = (schema: JsonSchema, description: string): JsonSchema => ({ ...schema, description });

/** An object of these properties; all are required, but for those that `optional` names. */
function object(properties: Record<string, JsonSchema>, optional: readonly string[] = []): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

const person = object({ id: text, name: orNull(text) }, ['name']);
const error = object(
  { name: text, message: text, code: text, public: truth, stack: text, causes: { type: 'array', items: anything } },
  ['code', 'public', 'stack', 'causes'],
);

const progress = object({
  percent: orNull({ type: 'number', minimum: 0, maximum: 100 }),
  current: orNull(number),
  total: orNull(number),
  unit: orNull(text),
  perSecond: about(orNull(number), 'Units (where nothing is counted, percent) a second.'),
} satisfies Record<keyof Progress, JsonSchema>);

const step = object({
  name: text,
  status: { type: 'string', enum: ['pending', 'running', ...FINAL_STATUSES, 'skipped'] },
  weight: about(orNull(number), 'Its share of the whole, beside those of the other steps.'),
  startedAt: orNull(time),
  endedAt: orNull(time),
  progress,
} satisfies Record<keyof ActivityStep, JsonSchema>);

const common = {
  id: uuid,
  scope: text,
  type: text,
  title: orNull(text),
  resource: orNull(object({ type: text, id: text, name: orNull(text) }, ['name'])),
  actor: about(orNull(person), 'Who asked.'),
  batchId: orNull(text),
  parentId: orNull(uuid),
  status: { type: 'string', enum: ACTIVITY_STATUSES },
  reason: about(orNull({ type: 'string', enum: ACTIVITY_REASONS }), 'Why it ended so; null before, and for a success.'),
  cancellable: truth,
  origin: object({ kind: orNull(text), label: orNull(text), requestId: orNull(text), traceparent: orNull(text) }),
  limitKey: orNull(text),
  job: about(orNull(object({ queue: text, id: text })), 'The job of a queue that its work is.'),
  attempts: about(count, 'How often its work was begun, with the time that it waits for.'),
  progress,
  expectedEndAt: about(orNull(time), 'Going by the rate of late; null while there is too little to say.'),
  step: orNull(text),
  criticalSection: about(
    orNull(text),
    'The critical section that its work is in: while `cancelling`, it is finishing a critical step.',
  ),
  latestMessage: orNull(text),
  messageCount: count,
  warningCount: count,
  errorCount: count,
  droppedMessageCount: count,
  cancel: orNull(object({ requestedAt: time, by: orNull(person), reason: orNull(text) })),
  createdAt: time,
  startedAt: orNull(time),
  endedAt: orNull(time),
  updatedAt: time,
  durationMs: orNull(count),
  ownerId: about(text, 'The process that runs it; `queue` while a queue has it.'),
  version: about(count, 'Grows with each change.'),
} satisfies Partial<Record<keyof Activity, JsonSchema>>;

const summary = { ...common, errorMessage: orNull(text) } satisfies Record<keyof ActivitySummary, JsonSchema>;

const whole = {
  ...common,
  steps: about({ type: 'array', items: step }, 'A hundred at most: the first and the newest.'),
  omittedStepCount: about(count, 'Left out between those.'),
  metadata: anything,
  result: about({}, 'What the work returned, where `keepResult` says so.'),
  error: orNull(error),
} satisfies Record<keyof Activity, JsonSchema>;

const usual = object({ count, fromMs: count, medianMs: count, toMs: count } satisfies Record<
  keyof UsualDuration,
  JsonSchema
>);

const message = {
  activityId: uuid,
  seq: { type: 'integer', minimum: 1 },
  at: time,
  level: { type: 'string', enum: MESSAGE_LEVELS },
  text,
  source: { type: 'string', enum: ['log', 'stdout', 'stderr', 'activity'] },
  step: orNull(text),
} satisfies Record<keyof ActivityMessage, JsonSchema>;

const problem = {
  type: text,
  title: text,
  status: about({ type: 'integer' }, 'The HTTP status.'),
  detail: text,
  code: about(text, 'Stable: an error code of the package, or the name of the HTTP status.'),
  instance: text,
  problems: about({ type: 'array', items: text }, 'What is wrong, a sentence each.'),
  activityId: text,
  activityStatus: { type: 'string', enum: ACTIVITY_STATUSES },
  holder: about(
    object({ id: uuid, type: text, actor: orNull(person), status: text, startedAt: orNull(time), link: text }, [
      'link',
    ]),
    'Who has the key that the call wants.',
  ),
} satisfies Record<keyof ActivityProblem, JsonSchema>;

export const activitySchema = object(whole, ['result']);
export const activityDetailSchema = object(
  { ...whole, usual: about(orNull(usual), 'How long such activities usually take; null with too few successes.') },
  ['result'],
);
export const problemSchema = object(problem, ['instance', 'problems', 'activityId', 'activityStatus', 'holder']);

const page = {
  items: { type: 'array', items: object(summary) },
  nextCursor: about(orNull(text), 'For the next page; null on the last one.'),
  searchedTo: about(
    orNull(time),
    'Older ones have not been looked at: no list looks at more than 20,000. `nextCursor` goes on, but in another order ' +
      'than `-created`.',
  ),
} satisfies Record<keyof ActivityPage, JsonSchema>;
export const pageSchema = object(page);

export const messagesSchema = object({ items: { type: 'array', items: object(message) }, next: count });
