import { randomFillSync } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Counts what is made in one millisecond up, so that their ids rise too; starts anywhere, since ids are not to be guessed. */
let sequence = Math.floor(Math.random() * 2 ** 31);

/** Random bytes for some hundred ids: asking for sixteen costs as much as asking for all of them. */
const pool = new Uint8Array(16 * 256);
let used = pool.length;

/**
 * A new id: a UUIDv7 whose time is `createdAt`. So the order of the ids is the order of creation, and a list needs no
 * other. Not the package's own clock, which never goes back: a clock that was set right again must not leave all later
 * activities in the future.
 */
export function newActivityId(createdAt: Date): string {
  sequence = (sequence + 1) % 2 ** 31;
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, (used += 16));
  return uuidv7({ msecs: createdAt.getTime(), seq: sequence, random });
}

/** The id as it is stored, or null for what cannot be one: no database is asked then, so none can fail on it. */
export function storedId(id: unknown): string | null {
  return typeof id === 'string' && UUID.test(id) ? id.toLowerCase() : null;
}

/** Below all ids of activities that were created at `time` (milliseconds since 1970) or later, above all earlier ones. */
export function firstIdAt(time: number): string {
  const digits = Math.min(Math.max(0, Math.ceil(time)), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`;
}

/** The time that is in an id of ours. */
export function creationOf(id: string): Date {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
}
