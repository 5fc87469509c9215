import type { Activity, Json } from '../../model/activity.js';
import { failureText } from '../../model/caller-view.js';
import type { DoneFrame, ErrorFrame } from '../../model/frames.js';
import { publicErrorOf } from '../../model/public-error.js';
import { errorText } from '../../model/stored-error.js';

/** The last frame of work that has succeeded. A result that JSON cannot hold is left out, and the frame says why. */
export function doneFrame(id: string | undefined, result: unknown): DoneFrame {
  const frame: DoneFrame = { type: 'done', ...(id === undefined ? {} : { id }), status: 'succeeded' };
  if (result === undefined) return frame;
  try {
    return { ...frame, result: asJson(result) };
  } catch (error) {
    return { ...frame, resultOmitted: `It cannot be written as JSON: ${errorText(error)}` };
  }
}

/** One value, as text. */
export function itemFrame(value: unknown): string {
  try {
    return JSON.stringify({ type: 'item', value: value === undefined ? null : value });
  } catch (error) {
    return JSON.stringify({
      type: 'item',
      value: null,
      valueOmitted: `It cannot be written as JSON: ${errorText(error)}`,
    });
  }
}

/** The last frame of work that has not; what it says is what a caller may read. */
export function errorFrame(
  error: unknown,
  { id, status, reason }: { id?: string } & Pick<Activity, 'status' | 'reason'>,
): ErrorFrame {
  const { problems: _problems, ...told } = publicErrorOf(error) ?? { message: failureText(id) };
  return {
    type: 'error',
    ...(id === undefined ? {} : { id }),
    status: status === 'cancelled' || status === 'interrupted' ? status : 'failed',
    reason: reason ?? 'error',
    ...told,
  };
}

/** Now, not when it is sent: what the work does to it later makes no difference. */
function asJson(value: unknown): Json | undefined {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as Json);
}
