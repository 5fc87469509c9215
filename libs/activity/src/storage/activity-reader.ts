import type { DataSource } from 'typeorm';
import type { Activity, ActivityMessage } from '../model/activity.js';
import { ACTIVITY_COLUMNS, BODY_COLUMNS, type ActivityEntities, type ActivityRow } from './activity-entities.js';
import { ALIAS, applyFilter } from './activity-filter.js';
import { creationOf, storedId } from './activity-id.js';
import { checkFilter, checkMessageQuery, checkQuery } from './activity-query.js';
import { addSearch, endOfWindow } from './activity-search.js';
import type { ActivityCount, ActivityFilter, ActivityPage, ActivityQuery, MessageQuery } from './activity-store.js';
import { readCursor, writeCursor } from './list-cursor.js';
import { addStatuses } from './merged-statuses.js';
import { toNumber } from './sql-value.js';
import { activityOf, messageOf, summaryOf } from './stored-activity.js';

const DEFAULT_PAGE = 50;
const DEFAULT_MESSAGES = 200;
/** Nobody needs to know more exactly how many there are than that there are more. */
const MAX_COUNT = 10_000;
/** A list leaves the bodies where they are. */
const SUMMARY_COLUMNS = (Object.keys(ACTIVITY_COLUMNS) as (keyof ActivityRow)[])
  .filter((column) => !(BODY_COLUMNS as readonly string[]).includes(column))
  .map((column) => `${ALIAS}.${column}`);

/** Reads by TypeORM's query builder, which quotes and names the tables for each database. */
export class ActivityReader {
  constructor(
    private readonly dataSource: DataSource,
    private readonly entities: ActivityEntities,
  ) {}

  async get(id: string): Promise<Activity | null> {
    const stored = storedId(id);
    if (stored === null) return null;
    const row = await this.#activities().where(`${ALIAS}.id = :id`, { id: stored }).getOne();
    return row && activityOf(row);
  }

  async list(given: ActivityQuery): Promise<ActivityPage> {
    checkQuery(given);
    const { limit = DEFAULT_PAGE, cursor, search, status, ...filter } = given;
    const statuses = [...new Set([status ?? []].flat())];
    const query = this.#activities()
      .select(SUMMARY_COLUMNS)
      // Ids are in the order of creation: one column is the order, and the end of every index.
      .orderBy(`${ALIAS}.id`, 'DESC')
      .limit(limit + 1);
    const isMerged = statuses.length > 1 && search === undefined;
    applyFilter(query, isMerged ? filter : { ...filter, status });
    const after = readCursor(cursor);
    if (after !== undefined) query.andWhere(`${ALIAS}.id < :after`, { after });
    if (isMerged) addStatuses(query, statuses);
    if (search === undefined) return pageOf(await query.getMany(), limit);
    const end = await endOfWindow(query);
    if (end !== null) query.andWhere(`${ALIAS}.id >= :end`, { end });
    addSearch(query, search);
    const page = pageOf(await query.getMany(), limit);
    if (page.nextCursor !== null || end === null) return { ...page, searchedTo: null };
    return { ...page, nextCursor: writeCursor(end), searchedTo: creationOf(end) };
  }

  async count(filter: ActivityFilter): Promise<ActivityCount> {
    checkFilter(filter);
    const query = this.#activities()
      .select('1', 'one')
      .limit(MAX_COUNT + 1);
    applyFilter(query, filter);
    const [sql, values] = query.getQueryAndParameters();
    const [row] = await this.dataSource.query<{ n: unknown }[]>(`SELECT COUNT(*) AS n FROM (${sql}) counted`, values);
    const count = toNumber(row?.n ?? 0);
    return { count: Math.min(count, MAX_COUNT), isExact: count <= MAX_COUNT };
  }

  async messages(id: string, given: MessageQuery): Promise<ActivityMessage[]> {
    checkMessageQuery(given);
    const { after = 0, limit = DEFAULT_MESSAGES, level } = given;
    const stored = storedId(id);
    if (stored === null) return [];
    const query = this.dataSource
      .createQueryBuilder(this.entities.message, 'message')
      .where('message.activity_id = :id', { id: stored })
      .andWhere('message.seq > :after', { after })
      .orderBy('message.seq', 'ASC')
      .limit(limit);
    if (level) query.andWhere(level.length === 0 ? '1 = 0' : 'message.level IN (:...level)', { level });
    return (await query.getMany()).map(messageOf);
  }

  #activities() {
    return this.dataSource.createQueryBuilder(this.entities.activity, ALIAS);
  }
}

function pageOf(rows: ActivityRow[], limit: number): ActivityPage {
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return { items: page.map(summaryOf), nextCursor: last ? writeCursor(last.id as string) : null };
}
