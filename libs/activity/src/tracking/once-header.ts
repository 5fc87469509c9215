import { idempotencyKey } from '../config/activity.options.js';
import { problemsOf } from '../config/check.js';
import { headerOf } from './origin.js';

const HEADERS = ['Operation-Id', 'Idempotency-Key'] as const;

/** The key that a caller names for its request, so that it is run once; or what is wrong with it. */
export function onceHeaderOf(request: unknown): { key?: string; problem?: string } {
  const [operation, idempotency] = HEADERS.map((name) => headerOf(request, name.toLowerCase()));
  const key = operation ?? idempotency;
  if (key === undefined) return {};
  if (idempotency !== undefined && idempotency !== key) {
    return { problem: `The headers ${HEADERS.join(' and ')} name two keys for one request. Send one of them.` };
  }
  const problems = problemsOf(idempotencyKey, key);
  const name = operation === undefined ? HEADERS[1] : HEADERS[0];
  return problems.length > 0 ? { problem: `The header ${name} is ${problems.join('; ')}.` } : { key };
}
