import type { CheckedActivityOptions } from '../config/activity.options.js';
import { hasKeys } from '../execution/admission.js';
import { ActivityOptionError } from '../model/errors.js';

/** Headers by which servers know their callers; a token against forged requests is another one each time. */
const CREDENTIALS =
  /^(?:authorization|cookie|(?:x-)?(?:remote|forwarded|auth(?:enticated)?(?:-request)?)-(?:user|email)|.*(?:api-?key|secret|session(?:-id)?|(?<!csrf-|xsrf-)token))$/;

/**
 * Tells the callers of one idempotency key apart where there is no actor: one must not get what was another's. What a
 * caller is known by in other ways, `actor` has to say.
 */
export function credentialsOf(request: { headers?: Record<string, unknown> }): string | undefined {
  const found = Object.entries(request.headers ?? {}).filter(([name]) => CREDENTIALS.test(name));
  return found.length === 0 ? undefined : JSON.stringify(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * A key belongs to its scope, an idempotency key also to its actor: where these could not be found, whose it is is not known.
 * @param leftOut  options that could not be used, and why.
 * @throws {ActivityOptionError}
 */
export function refuseKeyOfNobody(options: CheckedActivityOptions, leftOut: ReadonlyMap<string, string>): void {
  if (!hasKeys(options)) return;
  const names = typeof options.idempotencyKey === 'string' ? ['scope', 'actor'] : ['scope'];
  const problems = names.flatMap((name) => {
    const why = leftOut.get(name);
    return why === undefined ? [] : [`\`${name}\`, whose the key is, is not known: ${why}`];
  });
  if (problems.length > 0) throw new ActivityOptionError(`a key of ${options.type}`, problems);
}
