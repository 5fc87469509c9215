import { createHash } from 'node:crypto';

const MAX_DEPTH = 64;

/** A hash of what was asked for, the same for the same values in whatever order their properties stand. Never throws. */
export function fingerprintOf(asked: unknown): string {
  return createHash('sha256')
    .update(canonical(asked, { path: new Set() }))
    .digest('hex');
}

/** JSON with sorted keys, in which bytes are their hash, and what JSON has no word for is left out. */
function canonical(value: unknown, place: { path: Set<object> }): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return `bytes:${createHash('sha256').update(bytes).digest('hex')}`;
  }
  if (place.path.has(value) || place.path.size >= MAX_DEPTH) return '"…"';
  place.path.add(value);
  try {
    const toJson = (value as { toJSON?: unknown }).toJSON;
    if (typeof toJson === 'function') return canonical((toJson as () => unknown).call(value), place);
    if (Array.isArray(value)) return `[${value.map((item) => canonical(item, place)).join(',')}]`;
    return `{${entriesOf(value, place).join(',')}}`;
  } catch {
    return '"unreadable"';
  } finally {
    place.path.delete(value);
  }
}

function entriesOf(value: object, place: { path: Set<object> }): string[] {
  return Object.keys(value)
    .toSorted()
    .map((key) => [key, (value as Record<string, unknown>)[key]] as const)
    .filter(([, item]) => item !== undefined && typeof item !== 'function' && typeof item !== 'symbol')
    .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, place)}`);
}
