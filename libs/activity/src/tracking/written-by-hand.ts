import 'reflect-metadata';

/** Of Nest's `RouteParamtypes`: `@Res()` and `@Next()`. */
const RESPONSE_PARAMETERS = /^[12]:/;

/** True for a handler that writes its answer itself (`@Res()` without `passthrough`, `@Next()`, `@Sse()`). */
export function isWrittenByHand(prototype: object, key: string | symbol): boolean {
  const handler: unknown = (prototype as Record<string | symbol, unknown>)[key];
  if (typeof handler === 'function' && Reflect.hasMetadata('__sse__', handler)) return true;
  const parameters: unknown = Reflect.getMetadata('__routeArguments__', prototype.constructor, key);
  return Object.entries((parameters ?? {}) as Record<string, { data?: unknown }>).some(
    ([name, { data }]) =>
      RESPONSE_PARAMETERS.test(name) && (data as { passthrough?: boolean } | null)?.passthrough !== true,
  );
}
