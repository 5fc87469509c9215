import type { DataSource } from 'typeorm';
import { LENGTHS, type ActivityEntities } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import type { DurationsOf } from './activity-store.js';
import { alongIndex } from './along-index.js';
import { toNumber } from './sql-value.js';
import { storableText } from './storable-text.js';

/** As many as are looked at: the newest of the type. It bounds the work where few of them are what is looked for. */
const LOOKED_AT = 1_000;
const TAKEN = 50;

/** How long the newest successful activities of one type and scope ran, in milliseconds, newest first. */
export async function recentDurations(
  dataSource: DataSource,
  entities: ActivityEntities,
  of: DurationsOf,
): Promise<number[]> {
  const rows = await durationsQuery(dataSource, entities, of).getRawMany<{ duration: unknown }>();
  return rows.map(({ duration }) => Math.max(0, toNumber(duration)));
}

/**
 * The index that serves the list of a type serves this too: one of its own would be written with every activity, for
 * a question that is asked once a minute.
 */
export function durationsQuery(dataSource: DataSource, entities: ActivityEntities, { type, scope }: DurationsOf) {
  return dataSource
    .createQueryBuilder()
    .select('newest.ended_at - newest.started_at', 'duration')
    .from((query) => {
      const newest = query
        .select(['id', 'scope', 'status', 'started_at', 'ended_at'].map((column) => `${ALIAS}.${column} AS ${column}`))
        .from(entities.activity, ALIAS)
        .limit(LOOKED_AT);
      alongIndex(newest, { column: 'type', value: storableText(type, LENGTHS.type) });
      return newest;
    }, 'newest')
    .where(`newest.status = 'succeeded' AND newest.started_at IS NOT NULL`)
    .andWhere('newest.scope = :scope', { scope: storableText(scope, LENGTHS.scope) })
    .orderBy('newest.id', 'DESC')
    .limit(TAKEN);
}
