import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import * as v from 'valibot';
import { ActivityAdminUnguardedError, ActivityOptionError, actorOfRequest, type Actor } from '../index.js';
import type { AdminRequest } from './admin-request.js';
import { readValues } from './read-values.js';

/** A guard as `@UseGuards()` takes it: a class, made by Nest, or an instance. */
export type ActivityGuard = Type<CanActivate> | CanActivate;

type ActorAnswer = Actor | string | null | undefined;

/** What `ActivityAdminModule.forRoot()` takes. */
export interface ActivityAdminOptions {
  /** Below the global prefix, without a version. Default `admin/activities`. */
  path?: string;
  /** In this order, before every route. Needed, unless `public` says that none is meant. */
  guards?: readonly ActivityGuard[];
  /** Anyone may see and cancel everything. Only in place of `guards`. */
  public?: boolean;
  /** Modules that export what the guards inject. */
  imports?: ModuleMetadata['imports'];
  /** Who cancels. Default `request.user`, as in `ActivityModule`. What the request's body says is never asked. */
  actor?(request: AdminRequest): ActorAnswer | Promise<ActorAnswer>;
  /** Whether the detail of a failed activity shows its stack trace. Default false. */
  stacks?: boolean;
}

/** Options with their defaults. */
export interface AdminSettings {
  path: string;
  guards: ActivityGuard[];
  imports: NonNullable<ModuleMetadata['imports']>;
  actor(request: AdminRequest): ActorAnswer | Promise<ActorAnswer>;
  stacks: boolean;
}

const truth = v.boolean('must be true or false');
const list = v.array(v.unknown(), 'must be a list');

const entries = {
  path: v.pipe(
    v.string('must be text'),
    v.regex(/^\/?[\w.~-]+(\/[\w.~-]+)*\/?$/, "must be a path of plain segments, such as 'admin/activities'"),
    v.transform((path) => path.replaceAll(/^\/|\/$/g, '')),
  ),
  guards: v.pipe(
    list,
    v.check(
      (guards) => guards.every(isGuard),
      'must hold guards only: classes or instances with `canActivate`. An undefined one comes from a circular import',
    ),
    v.transform((guards) => guards as ActivityGuard[]),
  ),
  public: truth,
  imports: v.pipe(
    list,
    v.transform((imports) => imports as AdminSettings['imports']),
  ),
  actor: v.custom<AdminSettings['actor']>((value) => typeof value === 'function', 'must be a function of the request'),
  stacks: truth,
};

/**
 * Options with their defaults.
 * @throws {ActivityAdminUnguardedError}, {ActivityOptionError} naming what is wrong and what is allowed.
 */
export function checkAdminOptions(options: ActivityAdminOptions): AdminSettings {
  if (typeof options !== 'object' || options === null) {
    throw new ActivityOptionError('ActivityAdminModule options', [`${String(options)} must be an object`]);
  }
  const { values, problems } = readValues(entries, options, 'option');
  if (values.public && values.guards?.length) {
    problems.push('`public: true` stands beside `guards`: give one of them');
  }
  if (problems.length > 0) throw new ActivityOptionError('ActivityAdminModule options', problems);
  const { path = 'admin/activities', guards = [], imports = [], actor = actorOfRequest, stacks = false } = values;
  if (guards.length === 0 && !values.public) throw new ActivityAdminUnguardedError();
  return { path, guards, imports, actor, stacks };
}

function isGuard(value: unknown): boolean {
  if (typeof value === 'function') return true;
  return typeof value === 'object' && value !== null && 'canActivate' in value;
}
