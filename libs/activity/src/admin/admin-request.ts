import { BadRequestException, ForbiddenException, UnsupportedMediaTypeException } from '@nestjs/common';
import { ActivityNotFoundError } from '../index.js';
import { readUuid } from './parameters.js';
import { firstProblems, unknownNames } from './read-values.js';

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

const MAX_REASON = 2_000;

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

/**
 * Why, in the words of the one who cancels; the body may be missing.
 * @throws {UnsupportedMediaTypeException} for a form or text, {BadRequestException} for anything but `{ reason? }`.
 */
export function cancelReasonOf(request: RoutedRequest): string | null {
  if (request.headers['content-type'] !== undefined && !isJson(request)) {
    throw new UnsupportedMediaTypeException('The body must be JSON (`Content-Type: application/json`), or left out.');
  }
  const body = request.body ?? {};
  if (typeof body !== 'object' || Array.isArray(body)) throw new BadRequestException('The body must be a JSON object.');
  const strangers = Object.keys(body).filter((name) => name !== 'reason');
  const problems = unknownNames(strangers, ['reason'], 'property');
  const reason = (body as { reason?: unknown }).reason ?? null;
  if (reason !== null && (typeof reason !== 'string' || reason.length > MAX_REASON)) {
    problems.push(`\`reason\` must be text of at most ${MAX_REASON} characters`);
  }
  if (problems.length > 0) throw new BadRequestException(firstProblems(problems));
  return reason === '' ? null : (reason as string | null);
}

function isJson({ headers }: RoutedRequest): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(String(headers['content-type']));
}
