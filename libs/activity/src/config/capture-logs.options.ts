import type { LogLevel } from '@nestjs/common';
import * as v from 'valibot';
import { name, oneOf } from './check.js';

/** Which lines of Nest's `Logger` also become lines of the activity that they are written in. */
export interface CaptureLogsOptions {
  /** Default: all, whatever the app's own logger prints. */
  levels?: readonly LogLevel[];
  /** Lines of these contexts only, e.g. `['UsersService']`. Default: of all. */
  contexts?: readonly string[];
  /** None of these contexts. */
  exclude?: readonly string[];
}

const LEVELS = ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] as const;

const chosen = v.strictObject({
  levels: v.optional(v.array(oneOf(LEVELS))),
  contexts: v.optional(v.array(name(255))),
  exclude: v.optional(v.array(name(255))),
});
const flag = v.boolean('must be true, false or { levels?, contexts?, exclude? }');

/** Not a union, whose message would not say which part is wrong. Given out: false, or what is chosen. */
export const captureLogs = v.pipe(
  v.lazy<typeof chosen | typeof flag>((value) => (typeof value === 'object' && value !== null ? chosen : flag)),
  v.transform((value): CaptureLogsOptions | false => (value === true ? {} : value)),
);
