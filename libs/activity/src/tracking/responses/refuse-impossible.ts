import { REDIRECT_METADATA, RENDER_METADATA, ROUTE_ARGS_METADATA, SSE_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import 'reflect-metadata';
import { respondSettings } from '../../config/respond.options.js';
import { ActivityOptionError } from '../../model/errors.js';
import { trackedMethodsOf } from '../tracked-methods.js';

const RESPONSE_ARGUMENTS = new Set([RouteParamtypes.RESPONSE, RouteParamtypes.NEXT].map(String));

/**
 * Looks at the handlers of a controller that may answer otherwise than with their result.
 * @returns those that may answer 202, as `Class.method`.
 * @throws {ActivityOptionError} for one that cannot: it answers by itself, or by a redirect, a template or server-sent
 *   events. At start, since decorators may stand above `@TrackedActivity`.
 */
export function refuseImpossibleResponses(controller: object): string[] {
  const accepting: string[] = [];
  for (const { key, options } of trackedMethodsOf(controller)) {
    const settings = respondSettings(options.respond);
    if (!settings) continue;
    const where = `${controller.constructor.name}.${String(key)}`;
    const own = ownAnswerOf(controller, key);
    if (own) {
      throw new ActivityOptionError(`@TrackedActivity on ${where}`, [
        `\`respond\` cannot be heeded, since the handler answers by ${own}: leave out one of them`,
      ]);
    }
    if (settings.modes.has('accepted')) accepting.push(where);
  }
  return accepting;
}

function ownAnswerOf(controller: object, key: string | symbol): string | undefined {
  const handler = (controller as Record<string | symbol, unknown>)[key] as object;
  if (Reflect.hasMetadata(SSE_METADATA, handler)) return '@Sse()';
  if (Reflect.hasMetadata(REDIRECT_METADATA, handler)) return '@Redirect()';
  if (Reflect.hasMetadata(RENDER_METADATA, handler)) return '@Render()';
  const routeArguments = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller.constructor, key) ?? {}) as object;
  // Also with `passthrough`: what it sets there would come after the first byte.
  const takesResponse = Object.keys(routeArguments).some((name) => RESPONSE_ARGUMENTS.has(name.split(':')[0]!));
  return takesResponse ? '@Res() or @Next()' : undefined;
}
