import type { SecretNames } from './redaction-names.js';

/** A part of a text, from its first character up to the one before `to`. */
export interface Span {
  from: number;
  to: number;
}

/** What is known of a value by its key. */
interface AboutKey {
  hasBlanks: boolean;
  /** As in JSON, where a value without quotes is a number or a word. */
  keyIsQuoted: boolean;
  /** The pair itself stands in quotes, as in `-H "Authorization: Bearer …"`: there the value ends. */
  quote?: string;
}

const LONGEST_KEY = 64;
const ESCAPE_CODE = 27;
/** `"`, `'`, a backtick, `\`, `]`. */
const CLOSING = [34, 39, 96, 92, 93];
/** A colour may stand before a key or a value. */
// oxlint-disable-next-line no-control-regex
const COLOURS = /(?:\u001b\[[\d;]{0,32}m)*/y;
const PAIR_SIGNS = /[:=>]+/y;
const BLANKS = /[ \t]*/y;
/** `inspect` puts long text into the next line. */
const BEFORE_QUOTE = /\s*(?=\\{0,8}["'`])/y;
/** A quote, escaped as often as the JSON that it stands in is nested. */
const QUOTE = /\\{0,8}["'`]/y;
/** `inspect` breaks text of several lines into `'…' +` and goes on in the next. */
const CONTINUED = /\s*\+\s*(?=["'`])/y;
/** An object or a list, as JSON and `inspect` write them: `{`, `[`, `Map(1) {`, `[Object: null prototype] {`. */
const GROUP = /(?:[\w$.]{1,64}(?:\(\d{1,9}\))? |\[[\w$: ]{1,64}\] )?[{[(]/y;
/** Another pair, before which a value without quotes ends: `a=1,b=2`, `?a=1&b=2`, `A=1;B=2`. */
const NEXT_PAIR = /[,;&]\s?[\\"']{0,4}[\p{L}\w.$[-]{1,64}[\]\\"']{0,4}\s?[:=]/uy;
const FLAG = /--([a-z][\w.-]{0,63})(?=["'\s])/iy;
/** Between a flag and its value, in a command and in a list of arguments: `--token x`, `'--token', 'x'`. */
const BEHIND_FLAG = /(?:["']\s?,)?\s{1,8}|["'],/y;

/**
 * The value of the pair whose `:` or `=` stands at `separator`, if its key is the name of a secret. The span is empty
 * where the pair has no value.
 */
export function pairValue(text: string, separator: number, names: SecretNames): Span | undefined {
  const keyEnd = endOfKey(text, separator);
  const name = names.endingAt(text, keyEnd);
  if (!name) return undefined;
  const keyIsQuoted = /["'`]/.test(text.slice(keyEnd, separator));
  return valueAt(text, after(BLANKS, text, after(PAIR_SIGNS, text, separator)), {
    hasBlanks: name.hasBlanks,
    keyIsQuoted,
    quote: keyIsQuoted ? undefined : quoteBeforeKey(text, name.from),
  });
}

/** The value of the flag whose `--` stands at `dashes`, if it is the name of a secret and another word follows. */
export function flagValue(text: string, dashes: number, names: SecretNames): Span | undefined {
  const flagEnd = after(FLAG, text, dashes);
  if (flagEnd === dashes || !names.endingAt(text, flagEnd)) return undefined;
  const from = after(BEHIND_FLAG, text, flagEnd);
  if (from === flagEnd || text[after(QUOTE, text, from)] === '-') return undefined;
  return valueAt(text, from, { hasBlanks: false, keyIsQuoted: false });
}

/** Where a key ends, before the quote, bracket or colour that closes it. */
export function endOfKey(text: string, separator: number): number {
  let at = separator;
  while (separator - at < 32 && isBlank(text.charCodeAt(at - 1))) at--;
  at = beforeColour(text, at);
  for (const bound = at - 8; at > bound && CLOSING.includes(text.charCodeAt(at - 1));) at--;
  return beforeColour(text, at);
}

function valueAt(text: string, begin: number, about: AboutKey): Span {
  const coloured = after(COLOURS, text, begin);
  const from = after(BEFORE_QUOTE, text, coloured);
  const inside = after(QUOTE, text, from);
  const quote = text.slice(from, inside);
  if (quote && quote !== about.quote) return { from: inside, to: quotedEnd(text, inside, quote) };
  if (about.quote) return { from: coloured, to: endBeforeQuote(text, coloured, about.quote) };
  const group = after(GROUP, text, coloured);
  if (group > coloured) return { from: coloured, to: groupEnd(text, group) };
  const to = about.hasBlanks ? lineEnd(text, coloured) : wordEnd(text, coloured, about.keyIsQuoted);
  return { from: coloured, to: withoutTail(text, coloured, to) };
}

/** Without a closing quote all that follows is taken for the value. */
function quotedEnd(text: string, from: number, quote: string): number {
  if (quote.length > 1) {
    let at = text.indexOf(quote, from);
    while (at > 0 && text[at - 1] === '\\') at = text.indexOf(quote, at + 1);
    return at === -1 ? text.length : at;
  }
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) {
      const next = after(CONTINUED, text, at + 1);
      if (next === at + 1) return at;
      return quotedEnd(text, next + 1, text[next]!);
    }
  }
  return text.length;
}

function endBeforeQuote(text: string, from: number, quote: string): number {
  const last = quote.at(-1);
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\n') return at;
    if (text[at] === last && (quote.length === 1 || text.startsWith(quote, at + 1 - quote.length))) {
      return at + 1 - quote.length;
    }
  }
  return text.length;
}

function groupEnd(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    const char = text[at]!;
    if (char === '{' || char === '[' || char === '(') depth++;
    else if (char === '}' || char === ']' || char === ')') {
      if (--depth === 0) return at + 1;
    } else if (char === '"' || char === "'" || char === '`') at = quotedEnd(text, at + 1, char);
  }
  return text.length;
}

function lineEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at++;
  return at;
}

function wordEnd(text: string, from: number, keyIsQuoted: boolean): number {
  for (let at = from; at < text.length; at++) {
    const char = text[at]!;
    if (/\s/.test(char)) return at;
    if (keyIsQuoted && (char === ',' || char === '}' || char === ']')) return at;
    if ((char === ',' || char === ';' || char === '&') && after(NEXT_PAIR, text, at) > at) return at;
    // The quote around a sentence or a JSON text that the pair ends.
    if ((char === '"' || char === "'" || char === '`') && /[\s,}\])]/.test(text[at + 1] ?? ' ')) return at;
  }
  return text.length;
}

/** A comma behind a value, or the end of its colour, is none of it. */
function withoutTail(text: string, from: number, end: number): number {
  let to = end;
  if (to - from > 1 && /[,;]/.test(text[to - 1]!)) to--;
  for (let before; (before = beforeColour(text, to)) < to && before >= from;) to = before;
  return to;
}

/** The quote right before the key whose name begins at `name`, with its escapes. */
function quoteBeforeKey(text: string, name: number): string | undefined {
  let key = name;
  while (key > 0 && name - key < LONGEST_KEY && /[\p{L}\w.$-]/u.test(text[key - 1]!)) key--;
  if (!/["'`]/.test(text[key - 1] ?? '')) return undefined;
  let from = key - 1;
  while (from > 0 && key - from < 8 && text[from - 1] === '\\') from--;
  return text.slice(from, key);
}

/** Where the colour begins that ends right before `end`; `end` when none does. */
function beforeColour(text: string, end: number): number {
  if (text.charCodeAt(end - 1) !== 109) return end;
  let at = end - 1;
  while (end - at < 34 && /[\d;]/.test(text[at - 1] ?? '')) at--;
  return text[at - 1] === '[' && text.charCodeAt(at - 2) === ESCAPE_CODE ? at - 2 : end;
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Where `what` ends if the text goes on with it at `from`; else `from`. */
function after(what: RegExp, text: string, from: number): number {
  what.lastIndex = from;
  return what.test(text) ? what.lastIndex : from;
}
