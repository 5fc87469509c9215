import { isPromise, type MaybePromise } from '../model/maybe-promise.js';
import type { SqlValue } from './sql-value.js';
import type { Step, WriteSession } from './write-plan.js';

const MOST_IN_PART = 500;

/** A step of a plan with its answer's type. */
export type Question<T> = (session: WriteSession) => MaybePromise<T>;
type Answers<Q extends readonly Question<unknown>[]> = {
  -readonly [K in keyof Q]: Q[K] extends Question<infer T> ? T : never;
};

export function* ask<T>(question: Question<T>): Generator<Step, T, unknown> {
  return (yield question) as T;
}

/** All in their order; sent at once, where the driver can: none needs what another gives. */
export function allOf<const Q extends readonly Question<unknown>[]>(questions: Q): Question<Answers<Q>> {
  return (session) => together(questions.map((question) => question(session))) as MaybePromise<Answers<Q>>;
}

function together<T>(answers: readonly MaybePromise<T>[]): MaybePromise<T[]> {
  return answers.some(isPromise) ? Promise.all(answers) : (answers as T[]);
}

/** A question for some of many things at a time: the drivers take so many values in one statement. */
export function inParts<I, T>(items: readonly I[], question: (part: readonly I[]) => Question<T>): Question<T[]> {
  const parts: (readonly I[])[] = [];
  for (let from = 0; from < items.length; from += MOST_IN_PART) parts.push(items.slice(from, from + MOST_IN_PART));
  return allOf(parts.map((part) => question(part)));
}

export function mapped<T, R>(question: Question<T>, map: (answer: T) => R): Question<R> {
  return (session) => {
    const answer = question(session);
    return isPromise(answer) ? answer.then(map) : map(answer);
  };
}

/** A statement with `?` for each value. */
export function select<T>(
  sql: string,
  values: readonly SqlValue[],
  answer: (rows: Record<string, unknown>[]) => T,
): Question<T> {
  return mapped((session) => session.select(sql, values), answer);
}

/** The same of one that changes rows: gives how many. */
export function execute(sql: string, values: readonly SqlValue[]): Question<number> {
  return (session) => session.execute(sql, values);
}

export function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}
