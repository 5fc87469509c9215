import type { ActivityMessage, Json, Progress } from './activity.js';
import type { ActivityReason } from './reasons.js';
import type { ActiveStatus, FinalStatus } from './statuses.js';

/**
 * One line of a streamed answer (`application/x-ndjson`). The first is `started`, the last `done` or `error`, and there is
 * exactly one of these: a stream without it was cut. What the work says stands inside of `log` and `item` frames, as data,
 * so it can never be taken for a frame.
 */
export type ActivityFrame =
  | StartedFrame
  | { type: 'status'; status: ActiveStatus }
  | { type: 'step'; step: string | null }
  | ({ type: 'progress' } & Progress)
  | LogFrame
  | GapFrame
  /** One value of a handler that gives several (an Observable, an async generator). */
  | { type: 'item'; value: Json; /** Why the value is null although there was one. */ valueOmitted?: string }
  /** Nothing has happened, but the connection is alive. */
  | { type: 'heartbeat' }
  | DoneFrame
  | ErrorFrame;

export interface StartedFrame {
  type: 'started';
  /** Id of the activity. */
  id: string;
  status: ActiveStatus;
  /** Where it can be looked at, when something serves it. */
  href?: string;
}

export type LogFrame = { type: 'log'; at: string } & Pick<
  ActivityMessage,
  'seq' | 'level' | 'text' | 'source' | 'step'
>;

/** Lines that the reader was too slow for, both ends included; they stand in the log of the activity. */
export interface GapFrame {
  type: 'gap';
  fromSeq: number;
  toSeq: number;
}

export interface DoneFrame {
  type: 'done';
  id?: string;
  status: 'succeeded';
  /** What the call would have answered; left out where it gave nothing. */
  result?: Json;
  /** Why there is no result although the work gave one. */
  resultOmitted?: string;
}

export interface ErrorFrame {
  type: 'error';
  id?: string;
  status: Exclude<FinalStatus, 'succeeded'>;
  reason: ActivityReason | null;
  /** For whoever called: the text of an unknown error stays in the log of the activity. */
  message: string;
  /** `ActivityErrorCode`, where the error is one of this package. */
  code?: string;
  /** The HTTP status that the error would have had as an answer of its own. */
  statusCode?: number;
}
