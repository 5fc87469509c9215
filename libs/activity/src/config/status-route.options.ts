import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import * as v from 'valibot';
import { checked } from './check.js';

/** `GET path/:id` for whoever called: one activity, read-only, where the admin API is not theirs to read. */
export interface StatusRouteOptions {
  /** Below the global prefix, without a version, e.g. `operations`. */
  path: string;
  /** Before it, in this order: what finds out who asks. Default none; guards of the whole application hold all the same. */
  guards?: readonly (Type<CanActivate> | CanActivate)[];
  /** Modules that export what the guards inject. */
  imports?: ModuleMetadata['imports'];
}

/** What `ActivityModule` takes when it is defined, with `forRoot` as with `forRootAsync`. */
export interface ActivityModuleExtras {
  /**
   * Shows an activity to the one who started it, at `GET <path>/:id`: the place to look that a 202 names. Text is the
   * path. Default none.
   */
  statusRoute?: string | StatusRouteOptions;
}

export interface StatusRouteSettings {
  path: string;
  guards: (Type<CanActivate> | CanActivate)[];
  imports: NonNullable<ModuleMetadata['imports']>;
}

const schema = v.strictObject({
  path: v.pipe(
    v.custom<string>(
      (value) => typeof value === 'string' && /^\/?[\w.~-]+(\/[\w.~-]+)*\/?$/.test(value),
      "must be a path of plain segments, such as 'operations'",
    ),
    v.transform((path) => path.replaceAll(/^\/|\/$/g, '')),
  ),
  guards: v.optional(
    v.array(
      v.custom<StatusRouteSettings['guards'][number]>(
        (guard) =>
          typeof guard === 'function' || (typeof guard === 'object' && guard !== null && 'canActivate' in guard),
        'must be a guard: a class, or an instance with `canActivate`',
      ),
      'must be a list',
    ),
    [],
  ),
  imports: v.optional(
    v.custom<StatusRouteSettings['imports']>((value) => Array.isArray(value), 'must be a list'),
    [],
  ),
});

/** @throws {ActivityOptionError} naming what is wrong and what is allowed, when the module is defined. */
export function statusRouteSettings(option: string | StatusRouteOptions): StatusRouteSettings {
  return checked('ActivityModule option `statusRoute`', schema, typeof option === 'string' ? { path: option } : option);
}
