import type { Writable } from 'node:stream';
import * as v from 'valibot';
import { callable, checked, oneOf, truth } from '../config/check.js';
import { MESSAGE_LEVELS, type MessageLevel } from '../model/activity.js';
import { ActivityOptionError } from '../model/errors.js';
import { frameNames, type FrameNames, type FrameReader } from './frames.js';

export interface WriterOptions {
  /** Level of its lines. Default `info`. */
  level?: MessageLevel;
  /** Which stream of a child process it takes. Default `stdout`. */
  source?: 'stdout' | 'stderr';
  /** The step that its lines belong to. Default: the one that is going on when a line comes. */
  step?: string | null;
  /**
   * A stream that gets the same bytes, e.g. the response. Its back-pressure counts until the activity is cancelled: from
   * then on what it has no room for is left out of it. If it fails or closes, the log goes on.
   */
  tee?: Writable;
  /** Whether `tee` is ended with the writer. Default false. */
  endTee?: boolean;
  /** `ndjson`: a line that is a JSON object which `frames` can read reports; every other line is text. Default `text`. */
  format?: 'text' | 'ndjson';
  /** What the frames are called, or a function that reads them. Default `log`, `error`, `progress`, `step`. */
  frames?: FrameNames | FrameReader;
}

const stream = v.custom<Writable>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Writable).write === 'function' &&
    typeof (value as Writable).on === 'function',
  'must be a Writable stream',
);

const schema = v.strictObject(
  {
    level: v.optional(oneOf(MESSAGE_LEVELS)),
    source: v.optional(oneOf(['stdout', 'stderr'])),
    step: v.nullish(v.string('must be text')),
    tee: v.optional(stream),
    endTee: v.optional(truth),
    format: v.optional(oneOf(['text', 'ndjson'])),
    frames: v.optional(v.union([callable, frameNames], 'must be a function, or names for log, error, progress, step')),
  },
  'must be an object',
);

/** @throws {ActivityOptionError} naming what is wrong and what is allowed. */
export function checkWriterOptions(options: WriterOptions, where = 'writer'): WriterOptions {
  const asked = checked(where, schema, options) as WriterOptions;
  if (asked.frames && asked.format !== 'ndjson') {
    throw new ActivityOptionError(where, ["`frames` are read where `format` is 'ndjson' only"]);
  }
  return asked;
}
