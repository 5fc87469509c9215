import type { MigrationInterface } from 'typeorm';
import { addCriticalSection } from './add-critical-section.js';
import { addLeases } from './add-leases.js';
import { addLimits } from './add-limits.js';
import { createActivityKeys } from './create-activity-keys.js';
import { addProgressDetails } from './add-progress-details.js';
import { addAttempts } from './add-attempts.js';
import { addChores } from './add-chores.js';
import { createActivityTables } from './create-activity-tables.js';
import { indexActivityLists } from './index-activity-lists.js';
import { indexScopes } from './index-scopes.js';

/** All migrations, oldest first. One that has been released is never changed again. */
export function activityMigrations(prefix: string): (new () => MigrationInterface)[] {
  return [
    createActivityTables(prefix),
    indexActivityLists(prefix),
    createActivityKeys(prefix),
    addProgressDetails(prefix),
    addCriticalSection(prefix),
    addChores(prefix),
    addLeases(prefix),
    indexScopes(prefix),
    addLimits(prefix),
    addAttempts(prefix),
  ];
}

/** The tracker's own history: the app's `migrations` table knows nothing of it. */
export function migrationsTableName(prefix: string): string {
  return `${prefix}activity_migrations`;
}
