import {
  ActivityError,
  plainProblem,
  problemOfActivityError,
  publicErrorOf,
  refusalOf,
  type ProblemAnswer,
} from '../index.js';

/** Any error as a problem. What was not written for a client stays out of it: texts of unknown errors, stacks, SQL. */
export function problemOf(error: unknown, instance?: string): ProblemAnswer {
  if (ActivityError.is(error)) return problemOfActivityError(error, instance);
  const refusal = refusalOf(error);
  if (refusal) return { ...refusal, problem: { ...refusal.problem, instance } };
  const told = publicErrorOf(error);
  if (!told)
    return { problem: plainProblem(500, 'The request could not be answered.', instance), headers: {}, isKept: true };
  const { message, statusCode = 500, problems } = told;
  return { problem: { ...plainProblem(statusCode, message, instance), problems }, headers: {}, isKept: false };
}
