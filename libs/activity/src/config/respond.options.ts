import * as v from 'valibot';
import { duration, oneOf } from './check.js';
import type { Duration } from './duration.js';

/**
 * How an HTTP handler answers. `result`: with what it gives, when it is done. `accepted`: at once, 202 with the activity
 * and the place to look. `stream`: at once, with a line of JSON for all that happens (`application/x-ndjson`).
 */
export const RESPONSE_MODES = ['result', 'accepted', 'stream'] as const;
export type ResponseMode = (typeof RESPONSE_MODES)[number];

/** What a handler answers, and what its callers may ask for. */
export interface RespondOptions {
  /** Without a wish of the caller's. Default `result`. */
  default?: ResponseMode;
  /**
   * What callers may ask for besides: `accepted` by `Prefer: respond-async` or `Prefer: wait=N`, `stream` by
   * `Accept: application/x-ndjson`. Default none.
   */
  allow?: readonly ResponseMode[];
  /** The longest that `Prefer: wait=N` may ask to wait for the result. Default 60 s. */
  maxWait?: Duration;
}

/** The option, sorted. */
export interface RespondSettings {
  default: ResponseMode;
  /** The default and what is allowed besides. */
  modes: ReadonlySet<ResponseMode>;
  maxWaitMs: number;
}

const mode = oneOf(RESPONSE_MODES);

export const respond = v.lazy((input): v.GenericSchema =>
  typeof input === 'object' && input !== null
    ? v.strictObject({
        default: v.optional(mode),
        allow: v.optional(v.array(mode, 'must be a list')),
        maxWait: v.optional(duration),
      })
    : v.picklist(
        RESPONSE_MODES,
        `must be one of ${RESPONSE_MODES.map((one) => `'${one}'`).join(', ')}, or { default?, allow?, maxWait? }`,
      ),
);

/** Undefined where a handler answers with its result and nothing else. */
export function respondSettings(option: ResponseMode | RespondOptions | undefined): RespondSettings | undefined {
  if (option === undefined) return undefined;
  const {
    default: standard = 'result',
    allow = [],
    maxWait = '60s',
  } = typeof option === 'string' ? { default: option } : option;
  const modes = new Set<ResponseMode>([standard, ...allow]);
  if (modes.size === 1 && standard === 'result') return undefined;
  return { default: standard, modes, maxWaitMs: v.parse(duration, maxWait) };
}
