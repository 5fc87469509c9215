import * as v from 'valibot';
import { readIsoTime } from './iso-time.js';

/** The part of JSON Schema that the OpenAPI document of the admin API uses. */
export interface JsonSchema {
  type?: string | string[];
  description?: string;
  format?: string;
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  default?: number | string;
  maxLength?: number;
  nullable?: boolean;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean;
  allOf?: JsonSchema[];
}

/** One query parameter: how its text is read, and how the OpenAPI document tells of it. */
export interface Parameter<T> {
  read: v.GenericSchema<string, T>;
  description: string;
  schema: JsonSchema;
  /** Takes a list with commas. */
  several?: true;
}

const MAX_LISTED = 50;

/** A value of `T`, or a message in the words of a problem: "it must be …". */
function reader<T>(read: (text: string) => T | undefined, otherwise: string): v.GenericSchema<string, T> {
  return v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: otherwise });
      return NEVER;
    }),
  );
}

function fits(text: string, max: number): boolean {
  return text.length > 0 && text.length <= max;
}

/** Text that must be equal, in this spelling. */
export function exactly(max: number, description: string): Parameter<string> {
  return {
    read: reader((text) => (fits(text, max) ? text : undefined), `must be text of 1 to ${max} characters`),
    description,
    schema: { type: 'string', maxLength: max },
  };
}

export function uuid(description: string): Parameter<string> {
  return {
    read: reader((text) => readUuid(text), 'must be a UUID'),
    description,
    schema: { type: 'string', format: 'uuid' },
  };
}

/** A UUID in the small letters in which it is kept, or undefined for anything else. */
export function readUuid(text: string): string | undefined {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text) ? text.toLowerCase() : undefined;
}

/** Any of several, with commas between them. */
export function anyOf(max: number, description: string): Parameter<string[]> {
  return {
    read: reader((text) => {
      const names = text.split(',');
      return names.length <= MAX_LISTED && names.every((name) => fits(name, max)) ? names : undefined;
    }, `must be 1 to ${MAX_LISTED} texts of 1 to ${max} characters, with commas between them`),
    description: `${description} Several with commas between them.`,
    schema: { type: 'string' },
    several: true,
  };
}

export function anyOfThese<const T extends string>(allowed: readonly T[], description: string): Parameter<T[]> {
  const known: readonly string[] = allowed;
  return {
    read: reader(
      (text) => {
        const names = text.split(',', allowed.length + 1);
        return names.every((name): name is T => known.includes(name)) ? names : undefined;
      },
      `must be one of ${allowed.join(', ')}, or several with commas between them`,
    ),
    description: `${description} Any of ${allowed.join(', ')}; several with commas between them.`,
    schema: { type: 'string' },
    several: true,
  };
}

export function oneOfThese<const T extends string>(
  allowed: readonly T[],
  description: string,
  byDefault: T,
): Parameter<T> {
  return {
    read: reader((text) => allowed.find((one) => one === text), `must be one of ${allowed.join(', ')}`),
    description,
    schema: { type: 'string', enum: allowed, default: byDefault },
  };
}

export function wholeNumber(min: number, max: number, description: string, byDefault: number): Parameter<number> {
  return {
    read: reader((text) => {
      const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    }, `must be a whole number from ${min} to ${max}`),
    description,
    schema: { type: 'integer', minimum: min, maximum: max, default: byDefault },
  };
}

export function time(dayAs: 'start' | 'end', description: string): Parameter<Date> {
  return {
    read: reader(
      (text) => readIsoTime(text, dayAs),
      'must be a time in ISO 8601, such as 2026-11-25T10:00:00Z, 2026-11-25T12:00:00+02:00 or 2026-11-25',
    ),
    description: `${description} ISO 8601; without an offset it is UTC.`,
    schema: { type: 'string' },
  };
}

/** True, said outright; there is no other value. */
export function flag(description: string): Parameter<true> {
  return {
    read: reader((text) => (text === 'true' ? true : undefined), 'must be true, or left out'),
    description,
    schema: { type: 'string', enum: ['true'] },
  };
}
