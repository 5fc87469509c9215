import { storedId } from './activity-id.js';

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
