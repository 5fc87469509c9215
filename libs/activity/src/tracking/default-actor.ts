import type { Actor } from '../model/activity.js';

/**
 * The actor of a request where the app does not say how to find one: `request.user`, as Passport and most guards leave
 * it. Its id is the first of `id`, `sub`, `userId`, `username`; its name the first of `name`, `displayName`, `username`.
 */
export function actorOfRequest(request: unknown): Actor | null {
  const user = typeof request === 'object' && request !== null ? (request as { user?: unknown }).user : undefined;
  if (typeof user === 'string' && user.length > 0) return { id: user };
  if (typeof user !== 'object' || user === null) return null;
  const id = firstOf(user, ['id', 'sub', 'userId', 'username']);
  return id === undefined ? null : { id, name: firstOf(user, ['name', 'displayName', 'username']) ?? null };
}

function firstOf(user: object, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = (user as Record<string, unknown>)[key];
    if ((typeof value === 'string' && value.length > 0) || typeof value === 'number' || typeof value === 'bigint') {
      return String(value);
    }
  }
  return undefined;
}
