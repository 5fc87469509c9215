import type { StoredError } from './activity.js';
import { publicErrorOf } from './public-error.js';

const MAX_CAUSES = 8;
/** Values of a thrown object that its text may have. */
const MAX_VALUES = 1_000;

/**
 * Whatever was thrown, as text that can be stored: never throws, never empty, also for `undefined`, a frozen object, one
 * without a prototype, or an Error whose getters throw. Errors are told by shape, since `instanceof` lies across realms.
 */
export function toStoredError(thrown: unknown): StoredError {
  const error = describe(thrown, new Set(), { left: MAX_CAUSES });
  return publicErrorOf(thrown) ? { ...error, public: true } : error;
}

function describe(thrown: unknown, seen: Set<unknown>, budget: { left: number }): StoredError {
  if (typeof thrown !== 'object' || thrown === null) {
    return { name: typeof thrown, message: text(thrown) || `an empty ${typeof thrown} was thrown` };
  }
  seen.add(thrown);
  const name = textOf(thrown, 'name') ?? constructorName(thrown) ?? 'Error';
  const causes = causesOf(thrown)
    .filter((cause) => !seen.has(cause) && budget.left-- > 0)
    .map((cause) => describe(cause, seen, budget));
  const code = read(thrown, 'code');
  const stack = textOf(thrown, 'stack');
  return {
    name,
    message: textOf(thrown, 'message') ?? (isErrorLike(thrown) ? `${name} without a message` : asJson(thrown)),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(stack === undefined ? {} : { stack }),
    ...(causes.length === 0 ? {} : { causes }),
  };
}

/** One line for a list or a log: the message with those of an aggregate's members and of the causes. */
export function errorLine(error: StoredError): string {
  const causes = (error.causes ?? []).map(errorLine);
  return causes.length === 0 ? error.message : `${error.message} (${causes.join('; ')})`;
}

/** The same, of whatever was thrown: for a message that says why. */
export function errorText(thrown: unknown): string {
  return errorLine(toStoredError(thrown));
}

function causesOf(error: object): unknown[] {
  const members = read(error, 'errors');
  const cause = read(error, 'cause');
  return [...(Array.isArray(members) ? (members as unknown[]) : []), ...(cause === undefined ? [] : [cause])];
}

function isErrorLike(value: object): boolean {
  return typeof read(value, 'stack') === 'string';
}

function constructorName(value: object): string | undefined {
  const constructor = read(value, 'constructor');
  return typeof constructor === 'function' && constructor.name ? constructor.name : undefined;
}

function textOf(value: object, key: string): string | undefined {
  const found = read(value, key);
  return typeof found === 'string' && found.length > 0 ? found : undefined;
}

/** A getter of a stranger's error may throw. */
function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function asJson(value: object): string {
  let left = MAX_VALUES;
  const within = (_key: string, inner: unknown): unknown => {
    if (left-- === 0) throw new Error('too much for a message');
    return bytesCounted(inner);
  };
  try {
    // Before a Buffer makes itself a list of numbers, which takes seconds for a large one.
    return JSON.stringify(bytesCounted(value), within) ?? 'an object was thrown';
  } catch {
    return left < 0 ? 'an object too large for a message was thrown' : 'an object that JSON cannot hold was thrown';
  }
}

/** Bytes as their count, also those right inside of an object. */
function bytesCounted(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries: [string, unknown][] = Object.entries(value);
  if (!entries.some(([, inner]) => ArrayBuffer.isView(inner))) return value;
  return Object.fromEntries(
    entries.map(([key, inner]) => [key, ArrayBuffer.isView(inner) ? bytesCounted(inner) : inner]),
  );
}

function text(value: unknown): string {
  return typeof value === 'symbol' ? value.toString() : String(value);
}
