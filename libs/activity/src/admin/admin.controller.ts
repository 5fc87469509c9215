import { Controller, UseFilters, UseGuards, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import type { AdminSettings } from './admin.options.js';
import { AdminRoutes } from './admin.routes.js';
import { ProblemFilter } from './problem.filter.js';

/**
 * A controller of its own for each `forRoot`: a path and guards belong to a class. Neutral to versions, so that URI
 * versioning neither hides it nor moves it.
 */
export function createAdminController({ path, guards }: AdminSettings): Type<AdminRoutes> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  @UseFilters(ProblemFilter)
  class ActivityAdminController extends AdminRoutes {}

  return ActivityAdminController;
}
