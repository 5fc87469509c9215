import type { ExecutionContext } from '@nestjs/common';
import { batchId as batchIdSchema } from '../config/activity.options.js';
import { problemsOf } from '../config/check.js';
import type { Origin } from '../model/activity.js';

interface HttpRequest {
  id?: unknown;
  method?: string;
  headers?: Record<string, string | string[] | undefined>;
  /** Express. */
  route?: { path?: unknown };
  /** Fastify. */
  routeOptions?: { url?: string };
  user?: unknown;
}

interface GraphqlContext {
  req?: GraphqlContext;
  request?: GraphqlContext;
  extra?: { request?: unknown };
}

/** The request behind a call: HTTP's, GraphQL's, a gateway's client, a message's context; undefined where none is. */
export function requestOf(context: ExecutionContext): unknown {
  switch (context.getType<string>()) {
    case 'http':
      return context.switchToHttp().getRequest<unknown>();
    case 'ws':
      return context.switchToWs().getClient<unknown>();
    case 'rpc':
      return context.switchToRpc().getContext<unknown>();
    case 'graphql': {
      // (root, args, context, info): by convention of Nest's drivers the context holds the request, and of an operation
      // over graphql-ws its connection, which was a request once.
      const graphql = context.getArgByIndex<GraphqlContext | undefined>(2);
      const request = graphql?.req ?? graphql?.request ?? graphql;
      return request?.extra?.request ?? request;
    }
    default:
      return undefined;
  }
}

/** Where a call came from. Reads nothing that may be missing: a message or a cron run has no headers. */
export function originOf(context: ExecutionContext, request: unknown): Origin {
  const kind = context.getType<string>();
  const http = (kind === 'http' || kind === 'graphql') && isObject(request) ? (request as HttpRequest) : undefined;
  return {
    kind,
    label: (kind === 'http' && http && routeOf(http)) || `${context.getClass().name}.${context.getHandler().name}`,
    requestId: requestIdOf(http),
    traceparent: headerOf(http, 'traceparent') ?? null,
  };
}

/** The batch that the caller names in the header `Activity-Batch-Id`, or what is wrong with it. */
export function batchIdOf(request: unknown): { batchId?: string; problem?: string } {
  const batchId = headerOf(request, 'activity-batch-id');
  if (batchId === undefined) return {};
  const problems = problemsOf(batchIdSchema, batchId);
  return problems.length > 0 ? { problem: `The header Activity-Batch-Id is ${problems.join('; ')}.` } : { batchId };
}

/** A header as text; the first, where it was sent twice. */
export function headerOf(request: unknown, name: string): string | undefined {
  const headers = isObject(request) ? (request as HttpRequest).headers : undefined;
  const value = isObject(headers) ? headers[name] : undefined;
  return Array.isArray(value) ? value[0] : value;
}

function routeOf({ method, route, routeOptions }: HttpRequest): string | undefined {
  const path = typeof route?.path === 'string' ? route.path : routeOptions?.url;
  return method && path ? `${method} ${path}` : undefined;
}

function requestIdOf(request: HttpRequest | undefined): string | null {
  const id = headerOf(request, 'x-request-id') ?? request?.id;
  return typeof id === 'string' || typeof id === 'number' ? String(id) : null;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
