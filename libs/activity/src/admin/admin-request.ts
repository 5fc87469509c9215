import { BadRequestException, ForbiddenException, UnsupportedMediaTypeException } from '@nestjs/common';
import * as v from 'valibot';
import { ActivityNotFoundError, CANCEL_WAITS, type CancelWait } from '../index.js';
import { readUuid } from './parameters.js';
import { firstProblems, readValues } from './read-values.js';

/** What the admin API reads of a request, on Express and on Fastify. */
export interface AdminRequest {
  method: string;
  /** Path and query. */
  url: string;
  originalUrl?: string;
  headers: Record<string, string | string[] | undefined>;
  /** As the app's guard has left it. */
  user?: unknown;
}

/** What only the routes need of it. */
export interface RoutedRequest extends AdminRequest {
  params: Record<string, string>;
  body?: unknown;
}

export const MAX_REASON = 2_000;
/** Below what proxies wait for an answer. */
export const DEFAULT_WAIT_MS = 25_000;
export const MAX_WAIT_MS = 60_000;

/**
 * The id in the path, as it is kept.
 * @throws {ActivityNotFoundError} for what cannot be an id, so that no database is asked and all answer alike.
 */
export function idOf({ params }: RoutedRequest): string {
  const { id = '' } = params;
  const uuid = readUuid(id);
  if (uuid === undefined) throw new ActivityNotFoundError(id.length > 60 ? `${id.slice(0, 60)}…` : id);
  return uuid;
}

/**
 * Refuses a state change that another site's page may have made with the user's cookies or cached password. Browsers
 * send a form, and a script's request without JSON, without asking; all else they ask for first, and CORS answers.
 * @throws {ForbiddenException}
 * @see https://www.w3.org/TR/fetch-metadata/
 */
export function refuseCrossSite(request: RoutedRequest): void {
  if (request.headers['sec-fetch-site'] !== 'cross-site') return;
  const unasked = request.method === 'POST' && !isJson(request);
  if (unasked || request.headers.cookie !== undefined) {
    throw new ForbiddenException('A page of another site cannot change anything here with cookies or without JSON.');
  }
}

const cancelBody = {
  reason: v.nullable(
    v.pipe(
      v.string(`must be text of at most ${MAX_REASON} characters`),
      v.maxLength(MAX_REASON, `must be text of at most ${MAX_REASON} characters`),
    ),
  ),
  force: v.boolean('must be true or false'),
  wait: v.picklist(CANCEL_WAITS, `must be one of ${CANCEL_WAITS.join(', ')}`),
  timeoutMs: v.pipe(
    v.number(`must be a whole number from 1 to ${MAX_WAIT_MS}`),
    v.integer(`must be a whole number from 1 to ${MAX_WAIT_MS}`),
    v.minValue(1, `must be a whole number from 1 to ${MAX_WAIT_MS}`),
    v.maxValue(MAX_WAIT_MS, `must be a whole number from 1 to ${MAX_WAIT_MS}`),
  ),
};

/** What a cancel was asked with. */
export interface CancelBody {
  /** Why, in the words of the one who cancels. */
  reason: string | null;
  force: boolean;
  wait: CancelWait;
  /** How long the answer may take where `wait` is `settled`. */
  timeoutMs: number;
}

/**
 * The body may be missing.
 * @throws {UnsupportedMediaTypeException} for a form or text, {BadRequestException} for anything but `CancelBody`.
 */
export function cancelBodyOf(request: RoutedRequest): CancelBody {
  if (request.headers['content-type'] !== undefined && !isJson(request)) {
    throw new UnsupportedMediaTypeException('The body must be JSON (`Content-Type: application/json`), or left out.');
  }
  const body = request.body ?? {};
  if (typeof body !== 'object' || Array.isArray(body)) throw new BadRequestException('The body must be a JSON object.');
  const { values, problems } = readValues(cancelBody, body, 'property');
  if (problems.length > 0) throw new BadRequestException(firstProblems(problems));
  const { reason, force = false, wait = 'requested', timeoutMs = DEFAULT_WAIT_MS } = values;
  return { reason: reason === '' ? null : (reason ?? null), force, wait, timeoutMs };
}

function isJson({ headers }: RoutedRequest): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(String(headers['content-type']));
}
