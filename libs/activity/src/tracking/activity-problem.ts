import { STATUS_CODES } from 'node:http';
import { HttpStatus } from '@nestjs/common';
import type { ActivityError } from '../model/activity-error.js';
import type { KeyHolderFacts } from '../model/key-errors.js';
import type { ActivityStatus } from '../model/statuses.js';
import { answerTo } from './error-answers.js';

/** An error as a client gets it, `application/problem+json`. @see RFC 9457 */
export interface ActivityProblem {
  type: 'about:blank';
  /** The phrase of the HTTP status. */
  title: string;
  /** The HTTP status. */
  status: number;
  detail: string;
  /** `ActivityErrorCode`, or the name of the HTTP status: `FORBIDDEN`. */
  code: string;
  /** Path of the request. */
  instance?: string;
  /** What is wrong, a sentence each. */
  problems?: string[];
  activityId?: string;
  /** Where the activity stands, when that is why. */
  activityStatus?: ActivityStatus;
  /** Who has the key that the call wants; with a link, where something shows activities. */
  holder?: KeyHolderFacts & { link?: string };
}

export interface ProblemAnswer {
  problem: ActivityProblem;
  headers: Record<string, string>;
  /** The client was not told what happened: the log must be. */
  isKept: boolean;
}

/** An error of this package as a problem. What was not written for a client stays out of it. */
export function problemOfActivityError(error: ActivityError, instance?: string): ProblemAnswer {
  const { status, public: isPublic, retryAfter } = answerTo(error);
  const {
    activityId,
    status: activityStatus,
    problems,
    holder,
  } = error as Partial<ActivityProblem> & { status?: never };
  return {
    problem: {
      ...plainProblem(status, isPublic ? error.message : 'The activity tracker could not answer.', instance),
      code: error.code,
      ...(isPublic ? { problems, activityId, activityStatus, holder } : {}),
    },
    headers: retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) },
    isKept: !isPublic,
  };
}

export function plainProblem(status: number, detail: string, instance?: string): ActivityProblem {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code: HttpStatus[status] ?? `HTTP_${status}`,
    instance,
  };
}
