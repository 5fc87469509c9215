/** A NUL (PostgreSQL refuses it) or half of a surrogate pair (every UTF-8 database refuses it). */
const UNSTORABLE = /[\0\p{Surrogate}]/gu;
const MARK = '…';

/**
 * Text as every database takes it: NUL and lone surrogates become U+FFFD, and what is longer than `max` characters
 * (code points, as the databases count) is cut and ends in `…`.
 */
export function storableText(text: string, max: number): string {
  // A huge text is shortened first, so that cleaning costs no more than what can be kept.
  const head = text.length > 2 * max + 2 ? text.slice(0, 2 * max + 2) : text;
  return cutToCodePoints(isStorable(head) ? head : head.replace(UNSTORABLE, '\uFFFD'), max);
}

/** Most text is, and that is known many times faster than a pattern finds nothing in it. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** The same for a value that may be missing; a number given for an id becomes its text. */
export function storableTextOrNull(text: string | number | null | undefined, max: number): string | null {
  return text === null || text === undefined ? null : storableText(String(text), max);
}

function cutToCodePoints(text: string, max: number): string {
  if (text.length <= max) return text;
  let units = 0;
  let cutAt = 0;
  for (let points = 0; units < text.length; points++) {
    if (points === max - 1) cutAt = units;
    if (points === max) return text.slice(0, cutAt) + MARK;
    units += text.codePointAt(units)! > 0xffff ? 2 : 1;
  }
  return text;
}
