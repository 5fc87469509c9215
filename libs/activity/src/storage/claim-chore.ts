import type { Database } from './database.js';

/** Timers of several processes, and of one, are never quite in step: one that is a little early need not wait for the next. */
const EARLY = 0.1;

/** Takes the turn if it is due: one compare-and-set by the database's clock, so that of many processes one has it. */
export async function claimChore(
  database: Database,
  { name, everyMs }: { name: string; everyMs: number },
): Promise<boolean> {
  const { dataSource, entities, tables, now } = database;
  await dataSource.createQueryBuilder().insert().into(entities.chore).values({ name, due_at: 0 }).orIgnore().execute();
  const after = Math.round(everyMs * (1 - EARLY));
  const sql = `UPDATE ${tables.chores} SET due_at = ${now} + ? WHERE name = ? AND due_at <= ${now}`;
  return (await database.change(sql, [after, name])) === 1;
}
