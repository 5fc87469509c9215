import { ActivityError } from '../model/activity-error.js';

/**
 * A streamed answer has ended without its last frame: what was read of it is not all. The work itself may go on, or have
 * ended; look at the activity.
 */
export class ActivityStreamCutError extends ActivityError {
  readonly code = 'ACTIVITY_STREAM_CUT';
  constructor(
    /** Undefined when not even the first frame has come. */
    readonly activityId: string | undefined,
    /** The last line of the log that was read, 0 for none: read on from here. */
    readonly lastSeq: number,
    options?: ErrorOptions,
  ) {
    super(
      `The stream ${activityId === undefined ? '' : `of activity ${activityId} `}was cut: it ended without a last frame, ` +
        `so it is incomplete (lines up to ${lastSeq} were read).`,
      options,
    );
  }
}
