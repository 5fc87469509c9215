import type { ExecutionContext } from '@nestjs/common';
import type { Actor } from '../model/activity.js';

/**
 * The actor of a request where the app does not say how to find one: `request.user`, as Passport and most guards leave
 * it. Its id is the first of `id`, `sub`, `userId`, `username`; its name the first of `name`, `displayName`, `username`.
 */
export function actorOfRequest(request: unknown): Actor | null {
  const user = memberOf(request, 'user');
  if (typeof user === 'string' && user.length > 0) return { id: user };
  if (typeof user !== 'object' || user === null) return null;
  const id = firstOf(user, ['id', 'sub', 'userId', 'username']);
  return id === undefined ? null : { id, name: firstOf(user, ['name', 'displayName', 'username']) ?? null };
}

/**
 * The same for any call from outside. With a gateway, `user` may also stand in Socket.IO's `client.data` or on the request
 * of its handshake; with GraphQL in the context itself, or in what `graphql-ws` keeps for a connection. What a message
 * says of itself is not believed: its payload is not looked at.
 */
export function actorOfCall(request: unknown, context: ExecutionContext | undefined): Actor | null {
  if (request === undefined && context === undefined) return null;
  for (const holder of holdersOf(request, context)) {
    const actor = actorOfRequest(holder);
    if (actor) return actor;
  }
  return null;
}

function holdersOf(request: unknown, context: ExecutionContext | undefined): unknown[] {
  switch (context?.getType<string>()) {
    case 'ws':
      return [request, memberOf(request, 'data'), memberOf(request, 'request')];
    case 'graphql': {
      const shared = context.getArgByIndex<unknown>(2);
      const connection = memberOf(shared, 'req');
      return [request, shared, memberOf(shared, 'extra'), connection, memberOf(connection, 'extra')];
    }
    default:
      return [request];
  }
}

function memberOf(holder: unknown, key: string): unknown {
  return typeof holder === 'object' && holder !== null ? (holder as Record<string, unknown>)[key] : undefined;
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
