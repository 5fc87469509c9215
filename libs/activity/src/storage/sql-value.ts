/** What all three drivers bind. A truth is 0 or 1, a time its milliseconds, an object JSON text. */
export type SqlValue = string | number | null;

/** The database gives a bigint as a number, as text or as a BigInt, as the driver (or the app's type parsers) will. */
export function toNumber(value: unknown): number {
  return Number(value);
}

export function toNumberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

export function toTextOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
