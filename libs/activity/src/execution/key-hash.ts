import { createHash } from 'node:crypto';
import type { ActivityIdentity } from '../storage/activity-store.js';

/** A key as it is kept and compared: exactly, so that case, blanks at the end and accents make another one. */
function hashOf(...parts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** One space of exclusive keys for each scope, across types. */
export function exclusiveHash({ scope }: Pick<ActivityIdentity, 'scope'>, key: string): string {
  return hashOf('exclusive', scope, key);
}

/**
 * One space of idempotency keys for each scope, actor and type: another user's key is another key.
 * @param credentials  tells callers apart where there is no actor.
 */
export function idempotencyHash(
  { scope, actor, type }: Pick<ActivityIdentity, 'scope' | 'actor' | 'type'>,
  { key, credentials }: { key: string; credentials?: string },
): string {
  const caller = actor ? actor.id : null;
  return hashOf('idempotency', scope, caller, caller === null ? (credentials ?? null) : null, type, key);
}
