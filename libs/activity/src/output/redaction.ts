import type { RedactOption } from '../config/redact.options.js';
import type { Json, JsonObject, StoredError } from '../model/activity.js';
import { CUT_OVERLAP, LONGEST_LINE } from './line-lengths.js';
import { endOfKey, type Span } from './redaction-pairs.js';
import { SECRET_NAMES, SecretNames } from './redaction-names.js';
import { secretSpans } from './redaction-spans.js';
import { redactedValue, type ValueRules } from './redaction-values.js';

/** What stands in the place of a secret. */
export const MASK = '[redacted]';

/** Characters of one text that are kept at most. */
const LONGEST_TEXT = LONGEST_LINE - CUT_OVERLAP;

/**
 * Puts `[redacted]` in the place of secrets, before anything is queued to be stored. Throws for no text and no value;
 * its time grows with the length of the text, whatever is in it (a pattern of the user's own is the user's).
 */
export class Redaction {
  readonly #names: SecretNames;
  readonly #patterns: readonly RegExp[];
  readonly #rules: ValueRules;

  /** @param rules  checked by the schema of the options. */
  constructor(private readonly rules: RedactOption = []) {
    const given = rules || [];
    this.#names = new SecretNames([...SECRET_NAMES, ...given.filter((rule) => typeof rule === 'string')]);
    this.#patterns = given.filter((rule) => typeof rule !== 'string').map(toGlobal);
    this.#rules = {
      isSecret: (key) => this.#names.endingAt(key, endOfKey(key, key.length)) !== undefined,
      isSecretFlag: (argument) => /^--?[a-z][\w.-]*$/i.test(argument) && this.#names.has(argument),
      text: (text) => this.text(text),
      mask: MASK,
    };
  }

  get isOff(): boolean {
    return this.rules === false;
  }

  /**
   * The text with its secrets masked. One of more than 120 KiB is cut there with a mark, and what lies behind the cut is
   * looked at all the same: a secret across it is left out whole.
   */
  text(text: string): string {
    if (this.isOff || typeof text !== 'string') return text;
    const cut = this.beginning(text, 0);
    return cut.omitted === 0 ? cut.text : `${cut.text} … (${cut.omitted.toLocaleString('en')} more characters)`;
  }

  /**
   * The same for a text of which `omitted` more characters are gone already, without a mark.
   * @returns how many are missing then, too.
   */
  beginning(text: string, omitted: number): { text: string; omitted: number } {
    if (this.isOff) return { text, omitted };
    if (omitted === 0 && text.length <= LONGEST_TEXT) {
      return { text: masked(text, this.#spans(text), text.length), omitted };
    }
    const seen = text.slice(0, LONGEST_LINE);
    const end = Math.max(0, seen.length - CUT_OVERLAP);
    return { text: masked(seen, this.#spans(seen), end), omitted: omitted + text.length - end };
  }

  textOrNull(text: string | null | undefined): string | null {
    return text === null || text === undefined ? null : this.text(text);
  }

  /** A copy of the object as plain data, without its secrets. */
  object(object: JsonObject): JsonObject {
    return this.value(object) as JsonObject;
  }

  value(value: Json): Json {
    return this.isOff ? value : redactedValue(value, this.#rules);
  }

  /** Every text of a stored error. */
  error(error: StoredError): StoredError {
    if (this.isOff) return error;
    return {
      name: this.text(error.name),
      message: this.text(error.message),
      ...(error.code === undefined ? {} : { code: this.text(error.code) }),
      ...(error.public ? { public: true } : {}),
      ...(error.stack === undefined ? {} : { stack: this.text(error.stack) }),
      ...(error.causes === undefined ? {} : { causes: error.causes.map((cause) => this.error(cause)) }),
    };
  }

  #spans(text: string): Span[] {
    const spans = secretSpans(text, this.#names);
    for (const pattern of this.#patterns) {
      for (const { 0: found, index } of text.matchAll(pattern)) {
        if (found.length > 0) spans.push({ from: index, to: index + found.length });
      }
    }
    return spans;
  }
}

/** A copy: the caller's own keeps its `lastIndex`. A sticky one would find a secret at the very beginning only. */
function toGlobal(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}g`);
}

/** The text up to `end`, a mask in the place of each span, or of several that touch. */
function masked(text: string, spans: Span[], end: number): string {
  if (spans.length === 0) return end === text.length ? text : text.slice(0, end);
  spans.sort((a, b) => a.from - b.from);
  let result = '';
  let at = 0;
  for (const { from, to } of spans) {
    if (from >= end) break;
    if (from > at || result === '') result += text.slice(at, from) + MASK;
    at = Math.max(at, to);
  }
  return at < end ? result + text.slice(at, end) : result;
}
