import type { CheckedActivityOptions } from '../config/activity.options.js';
import type { Origin } from '../model/activity.js';
import type { CallAnswer } from './call-answer.js';
import type { JoinedRun } from './joined-run.js';
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
  /** What is asked for, where an idempotency key is given: see `Asked`. */
  asked?: Asked;
  /** What the run comes to, for calls that stand for the same: set by `run` itself. */
  outcome?: Promise<unknown>;
  /** False: nobody else can be given what it comes to (an answer that is written by hand, say). Default true. */
  isShared?: boolean;
  /** Called when another activity stands for this call: it is not run, and has no row. */
  onJoined?: (joined: JoinedRun) => void;
  /** Called when it is refused before its body. */
  onRefused?: (error: unknown) => void;
  /** Called at once, before anything is written: for those who may have to abort it while it starts. */
  onCreated?: (activity: RunningActivity) => void;
  /** Called once the start is recorded, before a slot is waited for. */
  onRecorded?: (activity: RunningActivity) => void;
}

/** What tells one request from another that comes with the same idempotency key. */
export interface Asked {
  /** Hash of what is asked for; undefined: not compared. */
  fingerprint?: string;
  /** Tells callers apart where there is no actor: a key must not give one of them what belongs to another. */
  credentials?: string;
}

export const NO_ORIGIN: Origin = Object.freeze({ kind: null, label: null, requestId: null, traceparent: null });
