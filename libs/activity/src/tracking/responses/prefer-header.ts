const TOKEN = String.raw`[!#$%&'*+.^_\x60|~\w-]+`;
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
/** One preference; what is behind a `;` are its parameters, and none of those that are read here has any. */
const PREFERENCE = new RegExp(String.raw`^\s*(${TOKEN})\s*(?:=\s*(${TOKEN}|${QUOTED})?\s*)?(?:;.*)?$`, 's');
/** Commas within quotes are text. */
const MEMBER = new RegExp(String.raw`(?:${QUOTED}|[^,"]|")+`, 'gs');

/**
 * The preferences of a `Prefer` header, by name in lower case; text that is not well formed is ignored, and of two with
 * one name the first counts, as the RFC says. Written here: the one package for it has had one release.
 * @see https://www.rfc-editor.org/rfc/rfc7240
 */
export function readPrefer(header: string | undefined): ReadonlyMap<string, string> {
  const preferences = new Map<string, string>();
  // Longer ones are nobody's wish.
  if (header === undefined || header.length > 1_000) return preferences;
  for (const [member] of header.matchAll(MEMBER)) {
    const [, name, value = ''] = PREFERENCE.exec(member) ?? [];
    if (name === undefined || preferences.has(name.toLowerCase())) continue;
    preferences.set(name.toLowerCase(), unquoted(value));
  }
  return preferences;
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : value;
}
