import type { ExecutionContext } from '@nestjs/common';
import 'reflect-metadata';

// As Nest keeps them: the kinds of parameters by `kind:place`, for each method of a class.
const PARAMETERS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';
const RESPONSE_OR_NEXT = /^[12]:/;

type Handler = ReturnType<ExecutionContext['getHandler']>;

const known = new WeakMap<Handler, boolean>();

/** True for a handler whose answer Nest leaves to it: one with `@Res()` or `@Next()`, without `passthrough`. */
export function isAnsweredByHandler(context: ExecutionContext): boolean {
  const handler = context.getHandler();
  let answers = known.get(handler);
  if (answers === undefined) known.set(handler, (answers = answersItself(context.getClass(), handler)));
  return answers;
}

function answersItself(controller: ReturnType<ExecutionContext['getClass']>, { name }: Handler): boolean {
  const parameters = (Reflect.getMetadata(PARAMETERS, controller, name) ?? {}) as Record<string, unknown>;
  if (!Object.keys(parameters).some((key) => RESPONSE_OR_NEXT.test(key))) return false;
  return Reflect.getMetadata(PASSTHROUGH, controller, name) !== true;
}
