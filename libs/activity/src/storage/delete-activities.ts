import type { DataSource } from 'typeorm';
import { FINAL_STATUSES } from '../model/statuses.js';
import type { ActivityEntities } from './activity-entities.js';
import type { Pace } from './pace.js';

/** Lines that one delete takes with it, and activities: few enough that nobody waits long behind it. */
const STEP_LINES = 1_000;
const STEP_ACTIVITIES = 100;

/** An ended activity that is to go, and how many lines go along. */
export interface Deletable {
  id: string;
  messages: number;
}

export interface Deleted {
  activities: number;
  messages: number;
}

/** Deletes ended activities in small steps that each stand for themselves. Lines go with their activity. */
export async function deleteActivities(
  { dataSource, entities }: { dataSource: DataSource; entities: ActivityEntities },
  rows: readonly Deletable[],
  pace: Pace,
): Promise<Deleted> {
  const all: Deleted = { activities: 0, messages: 0 };
  for (const step of stepsOf(rows)) {
    if (pace.isOver) break;
    const ids = step.map(({ id }) => id);
    all.activities += await pace.step(async () => {
      const result = await dataSource
        .createQueryBuilder()
        .delete()
        .from(entities.activity)
        .where('id IN (:...ids)', { ids })
        // Again, in the same statement, whatever was read before; hidden from the index of the statuses.
        .andWhere('SUBSTR(status, 1) IN (:...final)', { final: FINAL_STATUSES })
        .execute();
      // After the rows: a key that is left behind by a crash in between is free, since its activity is gone.
      await dataSource
        .createQueryBuilder()
        .delete()
        .from(entities.key)
        .where('activity_id IN (:...ids)', { ids })
        .execute();
      return result.affected ?? ids.length;
    });
    all.messages += step.reduce((sum, { messages }) => sum + messages, 0);
  }
  return all;
}

function* stepsOf(rows: readonly Deletable[]): Iterable<readonly Deletable[]> {
  let step: Deletable[] = [];
  let lines = 0;
  for (const row of rows) {
    if (step.length === STEP_ACTIVITIES || (step.length > 0 && lines + row.messages > STEP_LINES)) {
      yield step;
      [step, lines] = [[], 0];
    }
    step.push(row);
    lines += row.messages;
  }
  if (step.length > 0) yield step;
}
