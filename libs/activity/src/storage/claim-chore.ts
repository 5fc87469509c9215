import type { Database } from './database.js';

/** Timers of several processes, and of one, are never quite in step: one that is a little early need not wait for the next. */
const EARLY = 0.1;

export interface Chore {
  name: string;
  everyMs: number;
}

/** Takes the turn if it is due: one compare-and-set by the database's clock, so that of many processes one has it. */
export async function claimChore(database: Database, { name, everyMs }: Chore): Promise<boolean> {
  const { dataSource, entities, tables, now } = database;
  await dataSource.createQueryBuilder().insert().into(entities.chore).values({ name, due_at: 0 }).orIgnore().execute();
  const sql = `UPDATE ${tables.chores} SET due_at = ${now} + ? WHERE name = ? AND due_at <= ${now}`;
  return (await database.change(sql, [nextTurn(everyMs), name])) === 1;
}

/** Keeps the turn of who has it and is not done yet. */
export async function keepChore(database: Database, { name, everyMs }: Chore): Promise<void> {
  const { tables, now } = database;
  await database.change(`UPDATE ${tables.chores} SET due_at = ${now} + ? WHERE name = ?`, [nextTurn(everyMs), name]);
}

function nextTurn(everyMs: number): number {
  return Math.round(everyMs * (1 - EARLY));
}
