import { storedId } from './activity-id.js';

/** Where a page ended: the last row of it, by creation and id. */
export interface ListCursor {
  createdAt: number;
  id: string;
}

/** Opaque to the caller, and fit for a URL. */
export function writeCursor({ createdAt, id }: ListCursor): string {
  return Buffer.from(`${createdAt}.${id}`).toString('base64url');
}

/** Undefined for anything that `writeCursor` has not made. */
export function readCursor(text: unknown): ListCursor | undefined {
  if (typeof text !== 'string' || text.length > 100) return undefined;
  const [time = '', uuid] = Buffer.from(text, 'base64url').toString('latin1').split('.');
  const id = storedId(uuid);
  if (!/^\d{1,15}$/.test(time) || id === null) return undefined;
  const cursor = { createdAt: Number(time), id };
  return writeCursor(cursor) === text ? cursor : undefined;
}
