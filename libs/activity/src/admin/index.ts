export { ActivityAdminModule } from './activity-admin.module.js';
export { ActivityExceptionFilter } from './activity-exception.filter.js';
export type { AdminRequest } from './admin-request.js';
export type { ActivityAdminOptions, ActivityGuard } from './admin.options.js';
export type { ActivityProblem } from '../index.js';
