import { Controller, UseGuards, VERSION_NEUTRAL, type DynamicModule, type Provider } from '@nestjs/common';
import type { StatusRouteSettings } from '../../config/status-route.options.js';
import { ActivityAddresses } from '../activity-addresses.js';
import { StatusRoutes } from './status.routes.js';

const SERVED = Symbol('the path of the status route');

/** What the module that mounts the status route has besides. */
export function statusRoute({
  path,
  guards,
  imports,
}: StatusRouteSettings): Required<Pick<DynamicModule, 'controllers' | 'providers' | 'imports'>> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class ActivityStatusController extends StatusRoutes {}

  const served: Provider = {
    provide: SERVED,
    inject: [ActivityAddresses],
    useFactory: (addresses: ActivityAddresses) => {
      // Before the admin API, which callers can seldom read.
      addresses.serve(path, { first: true });
      return path;
    },
  };
  return { controllers: [ActivityStatusController], providers: [served], imports };
}
