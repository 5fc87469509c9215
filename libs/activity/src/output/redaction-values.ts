import { isAnyArrayBuffer, isDate } from 'node:util/types';
import type { Json } from '../model/activity.js';

/** More than the store keeps of one value. */
const MAX_WEIGHT = 512 * 1024;
const MAX_DEPTH = 32;

export interface ValueRules {
  isSecret: (key: string) => boolean;
  isSecretFlag: (argument: string) => boolean;
  text: (text: string) => string;
  mask: string;
}

interface Place {
  depth: number;
  path: Set<object>;
  budget: { left: number };
}

class TooLarge extends Error {}

/**
 * A copy of a value without its secrets, as plain data; the value itself is not touched. What is not walked for its
 * entries (a Date, bytes) stays as it is: the store has its own way with it. Never throws.
 */
export function redactedValue(value: unknown, rules: ValueRules): Json {
  try {
    return walk(value, { depth: 0, path: new Set(), budget: { left: MAX_WEIGHT } }, rules) as Json;
  } catch (error) {
    if (error instanceof TooLarge) return { truncated: `more than ${MAX_WEIGHT} bytes of JSON` };
    return { unstorable: 'JSON cannot hold this value' };
  }
}

function walk(value: unknown, place: Place, rules: ValueRules): unknown {
  place.budget.left -= typeof value === 'string' ? value.length + 2 : 1;
  if (place.budget.left < 0) throw new TooLarge();
  if (typeof value === 'string') return rules.text(value);
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value) || isAnyArrayBuffer(value) || isDate(value)) return value;
  if (place.path.has(value)) return '[circular]';
  if (place.depth >= MAX_DEPTH) return `[deeper than ${MAX_DEPTH} levels]`;
  const inside = { ...place, depth: place.depth + 1 };
  place.path.add(value);
  try {
    const toJson = read(value, 'toJSON');
    if (typeof toJson === 'function') return walk((toJson as () => unknown).call(value), inside, rules);
    return Array.isArray(value) ? items(value, inside, rules) : entries(value, inside, rules);
  } finally {
    place.path.delete(value);
  }
}

function items(values: readonly unknown[], place: Place, rules: ValueRules): unknown[] {
  const copy: unknown[] = [];
  let followsFlag = false;
  for (let index = 0; index < values.length; index++) {
    const item = read(values, index);
    copy.push(followsFlag && typeof item === 'string' ? rules.mask : walk(item, place, rules));
    followsFlag = typeof item === 'string' && rules.isSecretFlag(item);
  }
  return copy;
}

function entries(value: object, place: Place, rules: ValueRules): object {
  const copy: [string, unknown][] = [];
  for (const key of Object.keys(value)) {
    place.budget.left -= key.length;
    const item = read(value, key);
    const isSecret = item !== null && item !== undefined && rules.isSecret(key);
    copy.push([rules.text(key), isSecret ? rules.mask : walk(item, place, rules)]);
  }
  // Not by assignment, which `__proto__` as a key would take for something else.
  return Object.fromEntries(copy);
}

/** A getter may throw. */
function read(value: object, key: string | number): unknown {
  try {
    return (value as Record<string | number, unknown>)[key];
  } catch {
    return '[unreadable]';
  }
}
