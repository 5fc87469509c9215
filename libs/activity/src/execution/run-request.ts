import type { CheckedActivityOptions } from '../config/activity.options.js';
import type { Origin } from '../model/activity.js';
import type { CallAnswer } from './call-answer.js';
import type { RunningActivity } from './running-activity.js';

/** One call of the runner: checked options, and what only the entry point knows. */
export interface RunRequest {
  options: CheckedActivityOptions;
  origin?: Origin;
  /** Default: the activity around the call, or the one that the options name. */
  parent?: RunningActivity;
  /** The answer to the call, where there is one: who reads the result. */
  answer?: CallAnswer;
  /** What went wrong before the start (an option's function that threw): becomes warnings in the log. */
  notes?: readonly string[];
  /** Called at once, before anything is written: for those who may have to abort it while it starts. */
  onCreated?: (activity: RunningActivity) => void;
  /** Called once the start is recorded, before a slot is waited for. */
  onRecorded?: (activity: RunningActivity) => void;
}

export const NO_ORIGIN: Origin = Object.freeze({ kind: null, label: null, requestId: null, traceparent: null });
