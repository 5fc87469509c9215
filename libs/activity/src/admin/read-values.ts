import * as v from 'valibot';

/** What is wrong with one request: enough to mend it, and an answer that does not outgrow what was asked. */
const MAX_PROBLEMS = 10;

type Schemas = Record<string, v.GenericSchema>;
type Values<S extends Schemas> = { -readonly [K in keyof S]?: v.InferOutput<S[K]> };

/**
 * Reads named values, each by its schema; one that is undefined counts as not given.
 * @param kind  what they are called in a problem: option, parameter, property.
 * @returns what could be read, and a sentence for each that could not, naming it, its value and what is allowed; what
 *   has an unknown name comes last.
 */
export function readValues<S extends Schemas>(
  schemas: S,
  given: object,
  kind: string,
): { values: Values<S>; problems: string[] } {
  const values: Values<S> = {};
  const problems: string[] = [];
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    // Not `in`: a parameter may be called "constructor".
    if (!Object.hasOwn(schemas, name)) {
      unknown.push(name);
      continue;
    }
    const result = v.safeParse(schemas[name]!, value);
    if (result.success) values[name as keyof S] = result.output;
    else problems.push(`\`${name}\` is ${shown(value)}: it ${result.issues[0].message}`);
  }
  return { values, problems: [...problems, ...unknownNames(unknown, Object.keys(schemas), kind)] };
}

/** A sentence for each name that nobody knows; the first one says what is allowed. */
function unknownNames(names: readonly string[], allowed: readonly string[], kind: string): string[] {
  return names.map((name, index) => {
    const instead = index === 0 ? ` (allowed: ${allowed.join(', ')})` : '';
    return `unknown ${kind} ${shown(name)}${instead}`;
  });
}

/** The first ten, and how many more there are. */
export function firstProblems(problems: readonly string[]): string[] {
  const more = problems.length - MAX_PROBLEMS;
  return more > 0 ? [...problems.slice(0, MAX_PROBLEMS), `… and ${more} more`] : [...problems];
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
