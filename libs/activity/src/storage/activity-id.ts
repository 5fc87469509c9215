import { randomFillSync } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Counts what is made in one millisecond up, so that their ids rise too; starts anywhere, since ids are not to be guessed. */
let sequence = Math.floor(Math.random() * 2 ** 31);

/** Random bytes for some hundred ids: asking for sixteen costs as much as asking for all of them. */
const pool = new Uint8Array(16 * 256);
let used = pool.length;

const DASH = 45;
const bytes = new Uint8Array(16);
/** One id as ASCII; its dashes stay. */
const text = Buffer.alloc(36, '-');
const DIGITS = Buffer.from('0123456789abcdef');

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
  return textOf(uuidv7({ msecs: createdAt.getTime(), seq: sequence, random }, bytes));
}

/** In one piece: as the package writes it, it is twenty, and half of what a map takes to find it goes to join them. */
function textOf(id: Uint8Array): string {
  let place = 0;
  for (const byte of id) {
    if (isDashAt(place)) place++;
    text[place++] = DIGITS[byte >> 4]!;
    text[place++] = DIGITS[byte & 15]!;
  }
  return text.toString('latin1');
}

/** The id as it is stored, or null for what cannot be one: no database is asked then, so none can fail on it. */
export function storedId(id: unknown): string | null {
  if (typeof id !== 'string') return null;
  if (isStored(id)) return id;
  return UUID.test(id) ? id.toLowerCase() : null;
}

/** By hand, since each write asks it of an id of ours: a pattern takes as long as all else that a write is made of. */
function isStored(id: string): boolean {
  if (id.length !== 36) return false;
  for (let place = 0; place < 36; place++) {
    const code = id.charCodeAt(place);
    const fits = isDashAt(place) ? code === DASH : (code >= 48 && code <= 57) || (code >= 97 && code <= 102);
    if (!fits) return false;
  }
  return true;
}

function isDashAt(place: number): boolean {
  return place === 8 || place === 13 || place === 18 || place === 23;
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
