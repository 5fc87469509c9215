import type { SecretNames } from './redaction-names.js';
import { flagValue, pairValue, type Span } from './redaction-pairs.js';

/** A text without any of these has no secret that is known by what stands before it: most lines are told so at once. */
const HINT = /[:=]|--[a-z]|b(?:earer|asic)\s/i;

const BEARER =
  /\bbearer\s{1,8}(?!(?:tokens?|auth\w*|scheme|is|of|or|and|for|was)(?![\w.~+/=-])|(?:realm|error)=)(?=[^\s"'`,;<>(){}[\]])/gi;
/** Base64 has a capital, a digit or a `=` behind its first letter; "Basic authentication" has none. */
const BASIC = /\b[Bb]asic\s{1,8}(?=[A-Za-z\d+/]{1,512}={0,2}(?![\w-]))(?=[A-Za-z\d+/][a-z+/]{0,512}[A-Z\d=])/g;
const CREDENTIAL = /[^\s"'`,;<>(){}[\]]+/y;

const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;

/**
 * Where the secrets of a text are that what stands before them gives away: `password=…`, `"token": "…"`, `--secret …`,
 * `Bearer …`, the password of a URL, a private key. Each part of the text is passed a bounded number of times, whatever
 * is in it. In no order; they may overlap.
 */
export function secretSpans(text: string, names: SecretNames): Span[] {
  if (!HINT.test(text)) return [];
  const spans: Span[] = [];
  addPairs(text, names, spans);
  addFlags(text, names, spans);
  addUrls(text, spans);
  addCredentials(text, BEARER, spans);
  addCredentials(text, BASIC, spans);
  addPrivateKeys(text, spans);
  return spans;
}

/** Whether a private key has begun in the text and not ended: the lines that follow it are part of it. */
export function hasOpenPrivateKey(text: string): boolean {
  const begin = text.lastIndexOf('-----BEGIN ');
  if (begin === -1 || text.indexOf('-----END ', begin) !== -1) return false;
  KEY_BEGIN.lastIndex = begin;
  return KEY_BEGIN.exec(text)?.index === begin;
}

export function hasPrivateKeyEnd(text: string): boolean {
  return text.includes('-----END ');
}

function addPairs(text: string, names: SecretNames, spans: Span[]): void {
  for (let at = 0; (at = nextSeparator(text, at)) !== -1;) {
    const value = pairValue(text, at, names);
    if (value && value.to > value.from) spans.push(value);
    at = Math.max(at + 1, value?.to ?? 0);
  }
}

function nextSeparator(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 58 || code === 61) return at;
  }
  return -1;
}

function addFlags(text: string, names: SecretNames, spans: Span[]): void {
  for (let at = 0; (at = text.indexOf('--', at)) !== -1;) {
    const value = flagValue(text, at, names);
    if (value && value.to > value.from) spans.push(value);
    at = Math.max(at + 1, value?.to ?? 0);
  }
}

/** The part between `//` and `@` of what looks like a URL: its password, or a long user name alone, which is a token. */
function addUrls(text: string, spans: Span[]): void {
  let sign = -1;
  let blank = -1;
  for (let at = 0; (at = text.indexOf('://', at)) !== -1;) {
    at += 3;
    // Looked for once for all URLs of a word, or a word of many of them would be read as often.
    if (sign < at) sign = text.indexOf('@', at);
    if (sign === -1) return;
    if (blank < at) blank = nextMatch(BLANK, text, at);
    const span = sign < blank ? userInfo(text, at, sign) : undefined;
    if (!span) continue;
    if (span.to > span.from) spans.push(span);
    at = span.to;
  }
}

const BLANK = /[\s"'`<>]/g;
const AUTHORITY_END = /[\s"'`<>/?#]/g;
const USER = /[^\s:/?#@"'`<>[]{0,256}/y;
const PORT = /(?:\d{1,5})?(?:[\s/?#"'`<>,]|$)/y;

/** @param sign  the first `@` behind `from`, known to stand in the same word. */
function userInfo(text: string, from: number, sign: number): Span | undefined {
  USER.lastIndex = from;
  USER.test(text);
  const userEnd = USER.lastIndex;
  if (text[userEnd] === '@') return { from, to: userEnd - from >= 20 ? userEnd : from };
  if (text[userEnd] !== ':') return undefined;
  PORT.lastIndex = userEnd + 1;
  if (PORT.test(text)) return undefined;
  // A password may have a sign itself; one that has a slash ends at the next sign.
  const last = text.lastIndexOf('@', nextMatch(AUTHORITY_END, text, userEnd + 1));
  return { from: userEnd + 1, to: last > userEnd ? last : sign };
}

function nextMatch(what: RegExp, text: string, from: number): number {
  what.lastIndex = from;
  return what.exec(text)?.index ?? text.length;
}

function addCredentials(text: string, scheme: RegExp, spans: Span[]): void {
  scheme.lastIndex = 0;
  while (scheme.test(text)) {
    const from = scheme.lastIndex;
    CREDENTIAL.lastIndex = from;
    if (!CREDENTIAL.test(text)) continue;
    spans.push({ from, to: CREDENTIAL.lastIndex });
    scheme.lastIndex = CREDENTIAL.lastIndex;
  }
}

function addPrivateKeys(text: string, spans: Span[]): void {
  KEY_BEGIN.lastIndex = 0;
  for (let begin; (begin = KEY_BEGIN.exec(text));) {
    KEY_END.lastIndex = KEY_BEGIN.lastIndex;
    const to = KEY_END.test(text) ? KEY_END.lastIndex : text.length;
    spans.push({ from: begin.index, to });
    KEY_BEGIN.lastIndex = to;
  }
}
