import type { RespondSettings, ResponseMode } from '../../config/respond.options.js';
import { asksForStream, takesStream } from './accept-header.js';
import { readPrefer } from './prefer-header.js';

/** How one call is answered. */
export interface ChosenResponse {
  mode: ResponseMode;
  /** With `accepted`: how long the result is waited for, before the 202. */
  waitMs?: number;
  /** The preferences that are heeded, as `Preference-Applied` gives them; undefined for none. */
  applied?: string;
}

/**
 * The caller's wish, as far as the option allows it: `Accept: application/x-ndjson` before `Prefer`, since it says what
 * the caller can read. A wish that is not allowed or not understood is ignored, as RFC 7240 says.
 */
export function chooseResponse(
  { default: standard, modes, maxWaitMs }: RespondSettings,
  { prefer, accept }: { prefer: string | undefined; accept: string | undefined },
): ChosenResponse {
  if (modes.has('stream') && asksForStream(accept)) return { mode: 'stream' };
  if (modes.has('accepted')) {
    const preferences = readPrefer(prefer);
    const isAsync = preferences.get('respond-async') === '';
    const wait = modes.has('result') ? secondsOf(preferences.get('wait')) : undefined;
    if (wait !== undefined) {
      const seconds = Math.min(wait, Math.floor(maxWaitMs / 1_000));
      return {
        mode: 'accepted',
        waitMs: seconds * 1_000,
        applied: `${isAsync ? 'respond-async, ' : ''}wait=${seconds}`,
      };
    }
    if (isAsync) return { mode: 'accepted', applied: 'respond-async' };
  }
  return { mode: standard === 'stream' && modes.has('result') && !takesStream(accept) ? 'result' : standard };
}

function secondsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
