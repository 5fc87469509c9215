import type { Activity } from '../model/activity.js';
import type { KeyHolderFacts } from '../model/key-errors.js';
import type { RunningActivity } from './running-activity.js';

/** What may be told of an activity that has a key, to anyone who wants the key. */
export function factsOf({ record }: RunningActivity): KeyHolderFacts {
  return factsOfRow(record.snapshot());
}

export function factsOfRow({ id, type, actor, status, startedAt }: Activity): KeyHolderFacts {
  return { id, type, actor, status, startedAt };
}

/** For a line of the log. */
export function waitingText(key: string, { id, type, actor }: KeyHolderFacts): string {
  const by = actor ? `, started by ${actor.name ?? actor.id}` : '';
  return `Waiting for "${key}", held by activity ${id} ("${type}"${by}).`;
}

/** For the log of an activity that runs without the database's word. */
export function aloneText(key: string): string {
  return `The database did not answer, so "${key}" is kept apart from others within this process only.`;
}
