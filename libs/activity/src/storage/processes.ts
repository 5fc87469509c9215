import type { ActivityProcess } from '../model/owner.js';
import { ACTIVE_STATUSES, type ActivityStatus } from '../model/statuses.js';
import { ALIAS } from './activity-filter.js';
import type { Database } from './database.js';
import { readOwners } from './owner-rows.js';
import { toNumber } from './sql-value.js';
import { statusList } from './tables.js';

/** The processes on this database, with how much each of them runs: two statements, of which one looks at all that runs. */
export async function readProcesses(database: Database, ownId: string): Promise<ActivityProcess[]> {
  const { dataSource, entities } = database;
  const { now, owners } = await readOwners(database);
  const counts = await dataSource
    .createQueryBuilder(entities.activity, ALIAS)
    .select(`${ALIAS}.owner_id`, 'owner')
    .addSelect(`${ALIAS}.status`, 'status')
    .addSelect('COUNT(*)', 'count')
    .where(`${ALIAS}.status IN (${statusList(ACTIVE_STATUSES)})`)
    .groupBy(`${ALIAS}.owner_id`)
    .addGroupBy(`${ALIAS}.status`)
    .getRawMany<{ owner: string; status: ActivityStatus; count: unknown }>();
  return owners.map(({ id, host, pid, startedAt, renewedAt, expiresAt }) => {
    let [running, queued] = [0, 0];
    for (const { owner, status, count } of counts) {
      if (owner !== id) continue;
      if (status === 'queued') queued += toNumber(count);
      else running += toNumber(count);
    }
    const isHeard = expiresAt.getTime() > now;
    return { id, host, pid, startedAt, renewedAt, expiresAt, isHere: id === ownId, isHeard, running, queued };
  });
}
