import type { DataSource, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import type { Activity, ActivityMessage, ActivitySummary } from '../model/activity.js';
import { ACTIVITY_COLUMNS, BODY_COLUMNS, type ActivityEntities, type ActivityRow } from './activity-entities.js';
import { ALIAS } from './activity-filter.js';
import { creationOf, storedId } from './activity-id.js';
import { checkFilter, checkMessageQuery, checkQuery } from './activity-query.js';
import { addSearch } from './activity-search.js';
import type { ActivityCount, ActivityFilter, ActivityPage, ActivityQuery, MessageQuery } from './activity-store.js';
import { FilteredRows, type Reach } from './filtered-rows.js';
import { readCursor, readSortedCursor, writeCursor, writeSortedCursor } from './list-cursor.js';
import { addSort, isOtherSort, placeOf, type OtherSort } from './list-sort.js';
import { toNumber } from './sql-value.js';
import { activityOf, messageOf, summaryOf } from './stored-activity.js';

const DEFAULT_PAGE = 50;
/** SQLite and MariaDB take so many values at once. */
const IDS_AT_ONCE = 1_000;
const DEFAULT_MESSAGES = 200;
/** Nobody needs to know more exactly how many there are than that there are more. */
const MAX_COUNT = 10_000;
/**
 * Rows that one list looks at in vain: some tens of milliseconds at most, whatever the table has. Where little is left
 * out, the first of these is enough for a page.
 */
const NEAR = 1_000;
const FAR = 20_000;
const NOTHING: ActivityPage = { items: [], nextCursor: null, searchedTo: null };
/** A list leaves the bodies where they are. */
const SUMMARY_COLUMNS = (Object.keys(ACTIVITY_COLUMNS) as (keyof ActivityRow)[])
  .filter((column) => !(BODY_COLUMNS as readonly string[]).includes(column))
  .map((column) => `${ALIAS}.${column}`);

/** Reads by TypeORM's query builder, which quotes and names the tables for each database. */
export class ActivityReader {
  constructor(
    readonly dataSource: DataSource,
    readonly entities: ActivityEntities,
  ) {}

  async get(id: string): Promise<Activity | null> {
    const stored = storedId(id);
    if (stored === null) return null;
    const row = await this.dataSource
      .createQueryBuilder(this.entities.activity, ALIAS)
      .where(`${ALIAS}.id = :id`, { id: stored })
      .getOne();
    return row && activityOf(row);
  }

  async getAll(ids: readonly string[]): Promise<Activity[]> {
    const activities: Activity[] = [];
    for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
      const part = ids.slice(from, from + IDS_AT_ONCE);
      const rows = await this.dataSource
        .createQueryBuilder(this.entities.activity, ALIAS)
        .where(`${ALIAS}.id IN (:...part)`, { part })
        .getMany();
      activities.push(...rows.map(activityOf));
    }
    return activities;
  }

  async list(given: ActivityQuery): Promise<ActivityPage> {
    checkQuery(given);
    const { sort = '-created' } = given;
    return isOtherSort(sort) ? this.#sorted(given, sort) : this.#newestFirst(given);
  }

  async #newestFirst({ limit = DEFAULT_PAGE, cursor, search, sort: _sort, ...filter }: ActivityQuery) {
    const found = new FilteredRows(this, filter, readCursor(cursor));
    const read = async (reach: Reach): Promise<ActivityPage> => {
      const ids = found.ids(reach, (query) => {
        query.limit(limit + 1);
        if (search !== undefined) addSearch(query, search);
      });
      // Ids are in the order of creation: one column is the order, and the end of every index.
      const rows = await this.#summaries(ids)
        .orderBy(`${ALIAS}.id`, 'DESC')
        .limit(limit + 1)
        .getMany();
      const { items, last } = pageOf(rows, limit);
      if (last) return { items, nextCursor: writeCursor(last.id as string), searchedTo: null };
      const { end } = reach;
      return { items, nextCursor: end && writeCursor(end), searchedTo: end === null ? null : creationOf(end) };
    };
    if (found.isEmpty) return NOTHING;
    if (found.directly && search === undefined) return read(found.directly);
    // What is looked for is seldom far away.
    const near = await read(await found.reach(NEAR));
    return near.searchedTo === null ? near : read(await found.reach(FAR));
  }

  async #sorted({ limit = DEFAULT_PAGE, cursor, search, sort: _sort, ...filter }: ActivityQuery, sort: OtherSort) {
    const found = new FilteredRows(this, filter);
    if (found.isEmpty) return NOTHING;
    const before = readSortedCursor(cursor);
    const { along, end: first } = await found.reach(FAR);
    const end = before ? before.end : first;
    const ids = found.ids({ along, end }, (query) => {
      addSort(query.limit(limit + 1), sort, before?.place);
      if (search !== undefined) addSearch(query, search);
    });
    const query = this.#summaries(ids).limit(limit + 1);
    addSort(query, sort);
    const { items, last } = pageOf(await query.getMany(), limit);
    const nextCursor = last ? writeSortedCursor({ sort, place: placeOf(last, sort), end }) : null;
    return { items, nextCursor, searchedTo: end === null ? null : creationOf(end) };
  }

  async count(filter: ActivityFilter): Promise<ActivityCount> {
    checkFilter(filter);
    const found = new FilteredRows(this, filter);
    if (found.isEmpty) return { count: 0, isExact: true };
    const reach = found.directly ?? (await found.reach(FAR));
    const ids = found.ids(reach, (query) => query.limit(MAX_COUNT + 1));
    const row = await ids.select('COUNT(*)', 'n').getRawOne<{ n: unknown }>();
    const count = toNumber(row?.n ?? 0);
    return { count: Math.min(count, MAX_COUNT), isExact: count <= MAX_COUNT && reach.end === null };
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

  #summaries(ids: SelectQueryBuilder<ObjectLiteral>): SelectQueryBuilder<ActivityRow> {
    return this.dataSource
      .createQueryBuilder(this.entities.activity, ALIAS)
      .select(SUMMARY_COLUMNS)
      .where(`${ALIAS}.id IN (${ids.select('merged.id').getQuery()})`)
      .setParameters(ids.getParameters());
  }
}

/** Of one row more than a page has, which tells whether there is a next one. `last`: its last row, where it is not the last page. */
function pageOf(rows: ActivityRow[], limit: number): { items: ActivitySummary[]; last?: ActivityRow } {
  const page = rows.slice(0, limit);
  return { items: page.map(summaryOf), last: rows.length > limit ? page.at(-1) : undefined };
}
