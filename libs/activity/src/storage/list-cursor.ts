import { storedId } from './activity-id.js';
import { isKeyOf, isOtherSort, type OtherSort, type SortedPlace } from './list-sort.js';

/** Where a page ended: the id of its last row. Opaque to the caller, and fit for a URL. */
export function writeCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');
}

/** The id in a cursor, undefined for anything that `writeCursor` has not made. */
export function readCursor(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length !== 22) return undefined;
  const hex = Buffer.from(text, 'base64url').toString('hex');
  const id = storedId(
    [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'),
  );
  return id !== null && writeCursor(id) === text ? id : undefined;
}

/** Where a page of a sorted list ended. */
export interface SortedCursor {
  sort: OtherSort;
  place: SortedPlace;
  /** The last id that the first page looked at: so all pages are of the same rows. Null: none was left out. */
  end: string | null;
}

/** Characters: the longest type, each of its characters four bytes, and two ids. */
const MAX_CURSOR = 1_000;

export function writeSortedCursor({ sort, place, end }: SortedCursor): string {
  return Buffer.from(JSON.stringify([sort, place.key, place.id, end])).toString('base64url');
}

/** Undefined for anything that `writeSortedCursor` has not made. */
export function readSortedCursor(text: unknown): SortedCursor | undefined {
  if (typeof text !== 'string' || text.length > MAX_CURSOR) return undefined;
  const parts = parsed(text);
  if (!Array.isArray(parts)) return undefined;
  const [sort, key, id, end] = parts as unknown[];
  if (!isOtherSort(sort) || !isKeyOf(sort, key) || !isId(id) || !(end === null || isId(end))) return undefined;
  const cursor = { sort, place: { key, id }, end };
  return writeSortedCursor(cursor) === text ? cursor : undefined;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && storedId(value) === value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
