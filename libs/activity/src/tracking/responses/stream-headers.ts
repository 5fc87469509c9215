import { NDJSON } from './accept-header.js';

/** Of a streamed answer: nobody keeps it, and no proxy gathers or compresses it before passing it on. */
export const STREAM_HEADERS = {
  'Content-Type': NDJSON,
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
} as const;
