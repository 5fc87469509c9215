import { Module, type DynamicModule } from '@nestjs/common';
import { ActivityCoreModule } from './activity-core.module.js';
import type { ActivityModuleOptions } from './config/activity-module.options.js';
import type { ASYNC_OPTIONS_TYPE } from './config/module-definition.js';
import { statusRouteSettings, type ActivityModuleExtras } from './config/status-route.options.js';
import { statusRoute } from './tracking/status/status.controller.js';

/**
 * Activity tracking for an application. `forRoot()` once, in the root module; it is global. A bare `ActivityModule` in a
 * feature module is allowed and adds nothing.
 */
@Module({})
export class ActivityModule {
  /** @throws {ActivityOptionError} at start, naming what is wrong and what is allowed. */
  static forRoot({ statusRoute: route, ...options }: ActivityModuleOptions & ActivityModuleExtras = {}): DynamicModule {
    return withStatusRoute(ActivityCoreModule.forRoot(options), route);
  }

  /**
   * Options by `useFactory` (with `inject` and `imports`), `useClass` or `useExisting`; `statusRoute` beside them, since
   * a route's path and guards belong to its definition.
   */
  static forRootAsync({
    statusRoute: route,
    ...options
  }: typeof ASYNC_OPTIONS_TYPE & ActivityModuleExtras): DynamicModule {
    return withStatusRoute(ActivityCoreModule.forRootAsync(options), route);
  }
}

function withStatusRoute(core: DynamicModule, route: ActivityModuleExtras['statusRoute']): DynamicModule {
  if (route === undefined) return { module: ActivityModule, imports: [core] };
  const { imports, ...parts } = statusRoute(statusRouteSettings(route));
  return { module: ActivityModule, imports: [core, ...imports], ...parts };
}
