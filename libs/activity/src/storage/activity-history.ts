import type { DataSource } from 'typeorm';
import type { ActivityEntities } from './activity-entities.js';
import { checkFilter } from './activity-query.js';
import type { ActivityFilter, PruneRequest, PruneResult } from './activity-store.js';
import { deleteActivities } from './delete-activities.js';
import { EndedRows, type EndedRow } from './ended-rows.js';
import { Pace, type Attempt } from './pace.js';
import { Kept, limitsIn } from './retention-conditions.js';

/** Of a prune, which nobody waits for: work goes first. */
const REST_PER_STEP = 1;

/** Deletes what has ended, a little at a time: rows are looked at by the hundred, and what is to go of them is deleted. */
export class ActivityHistory {
  constructor(
    readonly dataSource: DataSource,
    readonly entities: ActivityEntities,
    /** Runs one step, again while the database is busy. */
    private readonly attempt: Attempt,
  ) {}

  async clear(filter: ActivityFilter): Promise<number> {
    checkFilter(filter);
    const pace = new Pace(this.attempt, { rest: 0 });
    const rows = new EndedRows(this, pace);
    let count = 0;
    for await (const found of rows.ofFilter(filter)) {
      count += (await deleteActivities(this, found, pace)).activities;
    }
    return count;
  }

  /** Stops between two steps when `signal` aborts, and says what it has done. */
  async prune({ rules, now, minAge, dryRun = false }: PruneRequest, signal?: AbortSignal): Promise<PruneResult> {
    const result: PruneResult = { activities: 0, messages: 0, by: [] };
    const pace = new Pace(this.attempt, { rest: dryRun ? 0 : REST_PER_STEP, signal });
    const rows = new EndedRows(this, pace);
    for await (const scope of rows.scopes()) {
      const kept = new Kept(limitsIn(scope, rules), { now: now.getTime(), minAge });
      const gone = rules.map(() => ({ activities: 0, messages: 0 }));
      for await (const found of rows.ofScope(scope, { rules, before: kept.youngest })) {
        for (const [rule, beyond] of byRule(found.filter((row) => kept.isBeyond(row)))) {
          const { activities, messages } = dryRun ? sumOf(beyond) : await deleteActivities(this, beyond, pace);
          gone[rule]!.activities += activities;
          gone[rule]!.messages += messages;
        }
      }
      for (const [place, one] of gone.entries()) {
        if (one.activities === 0) continue;
        result.activities += one.activities;
        result.messages += one.messages;
        result.by.push({ scope, rule: place === rules.length - 1 ? null : place, ...one });
      }
    }
    return result;
  }
}

function byRule(rows: readonly EndedRow[]): Map<number, EndedRow[]> {
  const groups = new Map<number, EndedRow[]>();
  for (const row of rows) {
    const group = groups.get(row.rule);
    if (group) group.push(row);
    else groups.set(row.rule, [row]);
  }
  return groups;
}

function sumOf(rows: readonly EndedRow[]) {
  return { activities: rows.length, messages: rows.reduce((sum, { messages }) => sum + messages, 0) };
}
