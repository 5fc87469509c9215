import { isAnyArrayBuffer } from 'node:util/types';
import type { Json, StoredError } from '../model/activity.js';
import { storableText } from './storable-text.js';

export const MAX_METADATA_BYTES = 256 * 1024;
export const MAX_RESULT_BYTES = 64 * 1024;
const MAX_DEPTH = 32;
const MAX_ERROR_TEXT = 16_384;

class TooLarge extends Error {}

/**
 * Any value as JSON text that every database takes; never throws. What JSON cannot hold is made plain: a BigInt becomes
 * its digits, a Buffer the count of its bytes; a cycle, a getter that throws and what lies deeper than 32 levels become a
 * note. More than `maxBytes` are replaced by an object that says so.
 */
export function storableJson(value: unknown, maxBytes: number): string {
  try {
    if (isEmptyObject(value)) return '{}';
    const plain = toPlain(value, { depth: 0, path: new Set(), budget: { left: maxBytes } });
    const text = JSON.stringify(plain ?? null);
    if (Buffer.byteLength(text) <= maxBytes) return text;
  } catch (error) {
    if (!(error instanceof TooLarge)) return JSON.stringify({ unstorable: 'JSON cannot hold this value' });
  }
  return JSON.stringify({ truncated: `more than ${maxBytes} bytes of JSON` });
}

/** As most metadata is: nothing need be walked. */
function isEmptyObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const _ in value) return false;
  return !('toJSON' in value);
}

/** True for what stands in the place of a value that could not be stored. */
export function isPlaceholder(value: Json): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const [[name, text] = [], ...others] = Object.entries(value);
  if (others.length > 0 || typeof text !== 'string') return false;
  return name === 'truncated' ? /^more than \d+ bytes of JSON$/.test(text) : name === 'unstorable';
}

/** The other way; a text that somebody has damaged by hand gives `fallback`. */
export function parseStored<T>(text: string | null, fallback: T): T {
  if (text === null) return fallback;
  try {
    return JSON.parse(text) as T;
  } catch {
    return fallback;
  }
}

/** Every text of an error within bounds, so that its JSON is too. */
export function storableError(error: StoredError): string {
  return JSON.stringify(boundError(error, 4));
}

function boundError(error: StoredError, depth: number): StoredError {
  const causes = depth > 0 ? (error.causes ?? []).slice(0, 8) : [];
  return {
    name: storableText(error.name, 255),
    message: storableText(error.message, MAX_ERROR_TEXT),
    ...(error.code === undefined ? {} : { code: storableText(error.code, 255) }),
    ...(error.public ? { public: true } : {}),
    ...(error.stack === undefined ? {} : { stack: storableText(error.stack, MAX_ERROR_TEXT) }),
    ...(causes.length === 0 ? {} : { causes: causes.map((cause) => boundError(cause, depth - 1)) }),
  };
}

interface Place {
  depth: number;
  /** The objects around this one: the same one again is a cycle. */
  path: Set<object>;
  budget: { left: number };
}

function toPlain(value: unknown, place: Place): Json | undefined {
  switch (typeof value) {
    case 'string':
      return textWithin(value, place);
    case 'number':
      spend(place, 1);
      return Number.isFinite(value) ? value : null;
    case 'boolean':
      spend(place, 4);
      return value;
    case 'bigint':
      return textWithin(value.toString(), place);
    case 'object':
      spend(place, 2);
      return value === null ? null : objectWithin(value, place);
    default:
      return undefined;
  }
}

function textWithin(text: string, place: Place): string {
  spend(place, text.length + 2);
  return storableText(text, text.length);
}

/** Ends the walk of a value as soon as it is known to be too large; `bytes` is what its JSON takes at least. */
function spend({ budget }: Place, bytes: number): void {
  budget.left -= bytes;
  if (budget.left < 0) throw new TooLarge();
}

function objectWithin(value: object, place: Place): Json | undefined {
  const bytes = byteLengthOf(value);
  if (bytes !== undefined) return textWithin(`[${bytes.toLocaleString('en-US')} bytes]`, place);
  if (place.path.has(value)) return '[circular]';
  if (place.depth >= MAX_DEPTH) return `[deeper than ${MAX_DEPTH} levels]`;
  const toJson = read(value, 'toJSON');
  const inside = { ...place, depth: place.depth + 1 };
  place.path.add(value);
  try {
    if (typeof toJson === 'function') return toPlain((toJson as () => unknown).call(value), inside);
    return Array.isArray(value) ? itemsWithin(value, inside) : entriesWithin(value, inside);
  } finally {
    place.path.delete(value);
  }
}

/** Of a Buffer, a typed array, a DataView, an ArrayBuffer: as JSON each byte would be a number, or even a key. */
function byteLengthOf(value: object): number | undefined {
  return ArrayBuffer.isView(value) || isAnyArrayBuffer(value) ? value.byteLength : undefined;
}

function itemsWithin(values: readonly unknown[], place: Place): Json[] {
  const plain: Json[] = [];
  for (let index = 0; index < values.length; index++) {
    if (index > 0) spend(place, 1);
    const item = toPlain(read(values, index), place);
    // Holes and functions too, or a list of nothing else would be walked to its end.
    if (item === undefined) spend(place, 4);
    plain.push(item ?? null);
  }
  return plain;
}

function entriesWithin(value: object, place: Place): Json {
  // Without a prototype, so that a key such as `__proto__` is stored as plain data.
  const plain = Object.create(null) as { [key: string]: Json };
  for (const key of Object.keys(value)) {
    const item = toPlain(read(value, key), place);
    if (item !== undefined) plain[textWithin(key, place)] = item;
  }
  return plain;
}

function read(value: object, key: string | number): unknown {
  try {
    return (value as Record<string | number, unknown>)[key];
  } catch {
    return '[unreadable]';
  }
}
