import { HttpException, Logger } from '@nestjs/common';
import { ActivityError } from '../model/activity-error.js';
import type { ActivityAddresses } from './activity-addresses.js';
import { problemOfActivityError, type ProblemAnswer } from './activity-problem.js';

const answer = Symbol.for('nestjs-activity.refusal');

/**
 * A call over HTTP that the tracker itself has refused before its body, as Nest's own filter answers it: status and
 * problem are there without any filter of the app. `cause` is the `ActivityError`.
 */
class ActivityRefusedException extends HttpException {
  readonly [answer]: ProblemAnswer;

  constructor(error: ActivityError, told: ProblemAnswer) {
    super(told.problem, told.problem.status, { cause: error });
    this[answer] = told;
  }
}

/** The exception for an error of this package; any other error as it is. */
export function refusedOverHttp(error: unknown, addresses: ActivityAddresses): unknown {
  if (!ActivityError.is(error)) return error;
  const told = problemOfActivityError(error);
  const { holder } = told.problem;
  if (holder) told.problem.holder = { ...holder, link: addresses.of(holder.id) };
  // With a filter of ours the log hears of it there; Nest's logs no HttpException.
  if (told.isKept) new Logger('Activity').error(error);
  return new ActivityRefusedException(error, told);
}

/** What is to be answered to a refused call; undefined for any other error. */
export function refusalOf(error: unknown): ProblemAnswer | undefined {
  if (typeof error !== 'object' || error === null || !(answer in error)) return undefined;
  return { ...(error[answer] as ProblemAnswer), isKept: false };
}
