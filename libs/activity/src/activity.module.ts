import { Module, type DynamicModule } from '@nestjs/common';
import { ActivityCoreModule } from './activity-core.module.js';
import type { ActivityModuleOptions } from './config/activity-module.options.js';
import type { ASYNC_OPTIONS_TYPE } from './config/module-definition.js';

/**
 * Activity tracking for an application. `forRoot()` once, in the root module; it is global. A bare `ActivityModule` in a
 * feature module is allowed and adds nothing.
 */
@Module({})
export class ActivityModule {
  /** @throws {ActivityOptionError} at start, naming what is wrong and what is allowed. */
  static forRoot(options: ActivityModuleOptions = {}): DynamicModule {
    return { module: ActivityModule, imports: [ActivityCoreModule.forRoot(options)] };
  }

  /** Options by `useFactory` (with `inject` and `imports`), `useClass` or `useExisting`. */
  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return { module: ActivityModule, imports: [ActivityCoreModule.forRootAsync(options)] };
  }
}
