import { ACTIVE_STATUSES } from '../model/statuses.js';
import { ACTIVITY_COLUMNS, MESSAGE_COLUMNS } from './activity-entities.js';
import type { KeyWrite } from './activity-keys.js';
import type { Column, ColumnKind } from './column-types.js';
import { numbered, takeKeySql } from './key-sql.js';
import type { SqlValue } from './sql-value.js';
import type { PreparedStatements } from './prepared-statements.js';
import { statusList, type Tables } from './tables.js';
import { guard, setClause } from './update-sql.js';
import { INSERT_COLUMNS, insertedPlaces, type LinesInsert, type MessageRange } from './write.js';
import type { UpdateGroup } from './write-batch.js';
import { FEW_VALUES, standingOf, type Standing, type WriteSession } from './write-plan.js';

/** What is used of pg's client. */
export interface PostgresClient {
  query(
    statement: string | { name?: string; text: string; values: readonly unknown[] },
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
}

const ARRAYS: Record<ColumnKind, string> = {
  uuid: 'uuid[]',
  text: 'text[]',
  longText: 'text[]',
  milliseconds: 'int8[]',
  count: 'int8[]',
  integer: 'int4[]',
  number: 'float8[]',
  truth: 'bool[]',
};
const OWNER_ARRAYS = ['uuid[]', 'text[]', 'int4[]'];
const LINE_COLUMNS = ['seq', 'at', 'level', 'text', 'source', 'step'] as const;
const LINE_ARRAYS = LINE_COLUMNS.map((column) => ARRAYS[MESSAGE_COLUMNS[column].kind]);
const ACTIVE = statusList(ACTIVE_STATUSES);
/**
 * One statement for each kind of write, whatever the number of rows: each column goes as one array, and `unnest` makes
 * rows of them. So a batch costs a few round trips, and the text of a statement does not depend on its size.
 * `(status IN (…)) IS TRUE` is no condition for an index: a plan that was made while the table was small was seen to go
 * through all that runs, and all that ever ran.
 */
export class PostgresSession implements WriteSession {
  constructor(
    private readonly client: PostgresClient,
    private readonly tables: Tables,
    private readonly prepared: PreparedStatements,
  ) {}

  #query(text: string, values: readonly unknown[]) {
    return this.client.query({ name: this.prepared.nameOf(text), text, values });
  }

  async insertActivities(rows: readonly (readonly SqlValue[])[]): Promise<void> {
    const places = insertedPlaces(rows);
    const columns = places.map((place) => INSERT_COLUMNS[place]!);
    const arrays = columns.map((column) => arrayOf(ACTIVITY_COLUMNS[column]));
    await this.#query(
      `INSERT INTO ${this.tables.activities} (${names(columns)}) SELECT * FROM ${unnest(arrays)} ` +
        'ON CONFLICT DO NOTHING',
      places.map((place) => rows.map((row) => row[place]!)),
    );
  }

  async updateActivities(group: UpdateGroup): Promise<ReadonlySet<string>> {
    const { columns, rows } = group;
    const own = (column: string) => `a."${column}"`;
    const arrays = columns.map((column) => arrayOf(ACTIVITY_COLUMNS[column as keyof typeof ACTIVITY_COLUMNS]));
    const set = setClause(group, {
      quote: (column) => `"${column}"`,
      own,
      value: (column) => `v."new_${column}"`,
      greatest: 'GREATEST',
    });
    const { rows: changed } = await this.#query(
      `UPDATE ${this.tables.activities} AS a SET ${set} FROM ${unnest([...OWNER_ARRAYS, ...arrays])} ` +
        `AS v(id, owner_id, fence, ${names(columns.map((column) => `new_${column}`))}) ` +
        `WHERE a.id = v.id AND a.owner_id = v.owner_id AND a.fence = v.fence AND (${guard(group, own)}) IS TRUE` +
        (group.to ? ' RETURNING a.id' : ''),
      [
        ...ownersOf(rows.map((row) => ({ ...row, activityId: row.id }))),
        ...turned(
          rows.map((row) => row.values),
          columns.length,
        ),
      ],
    );
    return new Set(changed.map(({ id }) => id as string));
  }

  async insertMessages(messages: readonly LinesInsert[]): Promise<void> {
    // The key lock keeps a row that is deleted at this moment from leaving its lines behind.
    await this.#query(
      `INSERT INTO ${this.tables.messages} (activity_id, ${names(LINE_COLUMNS)}) SELECT live.id, ${names(LINE_COLUMNS, 'm.')} ` +
        `FROM ${unnest([...LINE_ARRAYS, 'int8[]'])} AS m(${names(LINE_COLUMNS)}, place) JOIN (` +
        `SELECT o.id, o.place FROM ${unnest(OWNER_ARRAYS, LINE_COLUMNS.length + 2)} WITH ORDINALITY AS o(id, owner_id, fence, place) ` +
        `JOIN ${this.tables.activities} a ON a.id = o.id AND a.owner_id = o.owner_id AND a.fence = o.fence ` +
        `AND (a.status IN (${ACTIVE})) IS TRUE FOR KEY SHARE OF a) live ON live.place = m.place ON CONFLICT DO NOTHING`,
      [...lineColumns(messages), ...ownersOf(messages)],
    );
  }

  async deleteMessages(ranges: readonly MessageRange[]): Promise<void> {
    await this.#query(
      `DELETE FROM ${this.tables.messages} m USING ${unnest([...OWNER_ARRAYS, 'int8[]', 'int8[]'])} ` +
        `AS r(id, owner_id, fence, first, last) JOIN ${this.tables.activities} a ` +
        `ON a.id = r.id AND a.owner_id = r.owner_id AND a.fence = r.fence AND (a.status IN (${ACTIVE})) IS TRUE ` +
        'WHERE m.activity_id = r.id AND m.seq BETWEEN r.first AND r.last',
      [...ownersOf(ranges), ranges.map(({ fromSeq }) => fromSeq), ranges.map(({ toSeq }) => toSeq)],
    );
  }

  async standing(ids: readonly string[]): Promise<ReadonlyMap<string, Standing>> {
    const { rows } = await this.#query(
      `SELECT id, status, owner_id, fence, created_at, started_at, ended_at FROM ${this.tables.activities} ` +
        'WHERE id = ANY($1::uuid[])',
      [ids],
    );
    return new Map(rows.map((row) => [row.id as string, standingOf(row)]));
  }

  async takeKey(key: KeyWrite): Promise<boolean> {
    const { sql, values } = takeKeySql(this.tables.keys, key);
    const onConflict = key.from === null ? ' ON CONFLICT DO NOTHING' : '';
    return (await this.#query(numbered(sql) + onConflict, values)).rowCount === 1;
  }

  async select(sql: string, values: readonly SqlValue[]): Promise<Record<string, unknown>[]> {
    return (await this.#short(sql, values)).rows;
  }

  async execute(sql: string, values: readonly SqlValue[]): Promise<number> {
    return (await this.#short(sql, values)).rowCount ?? 0;
  }

  #short(sql: string, values: readonly SqlValue[]) {
    const text = numbered(sql);
    return values.length <= FEW_VALUES ? this.#query(text, values) : this.client.query({ text, values });
  }
}

type Owned = Pick<MessageRange, 'activityId' | 'ownerId' | 'fence'>;

/**
 * Lines as columns, with the place of their activity. What has no characters that would have to be escaped is handed
 * over as the text of an array, which the driver would make by looking at each character.
 */
function lineColumns(messages: readonly LinesInsert[]): unknown[] {
  const seqs: number[] = [];
  const times: number[] = [];
  const levels: string[] = [];
  const texts: string[] = [];
  const sources: string[] = [];
  const steps: (string | null)[] = [];
  const places: number[] = [];
  for (const [index, { lines }] of messages.entries()) {
    for (const [seq, at, level, text, source, step] of lines) {
      seqs.push(seq);
      times.push(at);
      levels.push(level);
      texts.push(text);
      sources.push(source);
      steps.push(step);
      places.push(index + 1);
    }
  }
  return [plain(seqs), plain(times), plain(levels), texts, plain(sources), steps, plain(places)];
}

function plain(values: readonly (number | string)[]): string {
  return `{${values.join(',')}}`;
}

function ownersOf(rows: readonly Owned[]): SqlValue[][] {
  return [rows.map(({ activityId }) => activityId), rows.map(({ ownerId }) => ownerId), rows.map(({ fence }) => fence)];
}

/** Rows of values as columns of values. */
function turned(rows: readonly (readonly SqlValue[])[], width: number): SqlValue[][] {
  return Array.from({ length: width }, (_, column) => rows.map((row) => row[column]!));
}

function arrayOf({ kind }: Column): string {
  return ARRAYS[kind];
}

function unnest(arrays: readonly string[], firstPlace = 1): string {
  return `unnest(${arrays.map((array, index) => `$${firstPlace + index}::${array}`).join(', ')})`;
}

function names(columns: readonly string[], alias = ''): string {
  return columns.map((column) => `${alias}"${column}"`).join(', ');
}
