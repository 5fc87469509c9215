import { Module, type DynamicModule } from '@nestjs/common';
import { ActivityAddresses, ActivityModuleMissingError, ActivityService } from '../index.js';
import { createAdminController } from './admin.controller.js';
import { checkAdminOptions, type ActivityAdminOptions } from './admin.options.js';
import { ADMIN_SETTINGS, AdminRoutes } from './admin.routes.js';
import { documentRoutes } from './openapi.js';

/**
 * The admin API: list, one, messages, cancel, clear history. Import it beside `ActivityModule.forRoot()`.
 * Several of them, at different paths and behind different guards, may stand side by side.
 */
@Module({})
export class ActivityAdminModule {
  /**
   * @throws {ActivityAdminUnguardedError} without guards and without `public: true`;
   *   {ActivityOptionError} naming what is wrong and what is allowed. Both when the module is defined.
   */
  static forRoot(options: ActivityAdminOptions = {}): DynamicModule {
    const settings = checkAdminOptions(options);
    return {
      module: ActivityAdminModule,
      imports: settings.imports,
      controllers: [createAdminController(settings)],
      providers: [
        {
          provide: ADMIN_SETTINGS,
          inject: [
            { token: ActivityService, optional: true },
            { token: ActivityAddresses, optional: true },
          ],
          useFactory: (activities?: ActivityService, addresses?: ActivityAddresses) => {
            if (!activities) throw new ActivityModuleMissingError('ActivityAdminModule');
            addresses?.serve(settings.path);
            return settings;
          },
        },
        // Nest waits for it before the application is made, so `SwaggerModule.createDocument` finds everything.
        { provide: documentRoutes, useFactory: () => documentRoutes(AdminRoutes) },
      ],
    };
  }
}
