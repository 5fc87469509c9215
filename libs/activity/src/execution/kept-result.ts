import { isAnyArrayBuffer } from 'node:util/types';
import type { Json } from '../model/activity.js';
import { MAX_RESULT_BYTES } from '../storage/storable-json.js';

/** A result that goes on, or is bytes: an Observable, an async iterable, a Node stream, a `StreamableFile`, a Buffer. */
export function isStream(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (ArrayBuffer.isView(value) || isAnyArrayBuffer(value) || Symbol.asyncIterator in value) return true;
  return ['subscribe', 'pipe', 'getStream'].some(
    (name) => typeof (value as Record<string, unknown>)[name] === 'function',
  );
}

/** A result as it may stand for the real one in a later answer; or why it may not. */
export function faithfulResult(value: unknown): { result: Json } | { why: string } {
  if (isStream(value)) return { why: 'it is a stream or bytes' };
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) return value === undefined ? { result: null } : { why: 'JSON has no word for it' };
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_RESULT_BYTES) return { why: `it is ${bytes.toLocaleString('en')} bytes of JSON` };
    return { result: JSON.parse(text) as Json };
  } catch {
    return { why: 'JSON cannot hold it' };
  }
}
