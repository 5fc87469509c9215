import type { DataSourceOptions } from 'typeorm';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import type { Database } from '../../libs/activity/src/storage/database.js';
import type { SqlValue } from '../../libs/activity/src/storage/sql-value.js';

export interface OwnerFacts {
  host: string | null;
  pid: number | null;
  startedAt: number;
  renewedAt: number;
  expiresAt: number;
  steadySince: number;
  sweeps: number;
  /** Of the database, when it was asked. */
  now: number;
}

/** The table of processes, as somebody sees and changes it who is none of them. */
export interface OwnersTable {
  readonly database: Database;
  ids(): Promise<string[]>;
  row(id: string): Promise<OwnerFacts>;
  /** As if the process had said its last word so much earlier. */
  age(id: string, ms: number): Promise<void>;
  /** @param set  e.g. `sweeps = sweeps + 1` */
  change(id: string, set: string): Promise<void>;
  delete(id: string): Promise<void>;
  query(sql: string, values: SqlValue[]): Promise<void>;
  close(): Promise<void>;
}

export async function ownersTable(options: DataSourceOptions): Promise<OwnersTable> {
  const database = createDatabase(options, '', () => undefined);
  await database.open();
  const { dataSource, entities, now } = database;
  const change = async (id: string, set: string): Promise<void> => {
    await database.change(`UPDATE activity_owners SET ${set} WHERE id = ?`, [id]);
  };
  return {
    database,
    async ids() {
      const rows = await dataSource.createQueryBuilder(entities.owner, 'o').orderBy('o.id').getMany();
      return rows.map(({ id }) => id as string);
    },
    async row(id) {
      const row = await dataSource
        .createQueryBuilder(entities.owner, 'o')
        .select('o.*')
        .addSelect(now, 'now')
        .where('o.id = :id', { id })
        .getRawOne<Record<string, unknown>>();
      if (!row) throw new Error(`no owner ${id}`);
      return {
        host: row.host as string | null,
        pid: row.pid as number | null,
        startedAt: Number(row.started_at),
        renewedAt: Number(row.renewed_at),
        expiresAt: Number(row.expires_at),
        steadySince: Number(row.steady_since),
        sweeps: Number(row.sweeps),
        now: Number(row.now),
      };
    },
    age: (id, ms) =>
      change(
        id,
        ['renewed_at', 'expires_at', 'steady_since'].map((column) => `${column} = ${column} - (${ms})`).join(', '),
      ),
    change,
    async delete(id) {
      await database.change('DELETE FROM activity_owners WHERE id = ?', [id]);
    },
    async query(sql, values) {
      await database.change(sql, values);
    },
    close: () => database.close(),
  };
}
