import * as v from 'valibot';

/** Names of keys (in any spelling) and patterns of text; false masks nothing, not even what is known to be secret. */
export type RedactOption = readonly (string | RegExp)[] | false;

/** Text in which a pattern that can match nothing at all does so. */
const SAMPLE = 'aA0 _-.:/\n';

const secretName = v.custom<string>(
  (value) => typeof value === 'string' && value.length <= 64 && /[\p{L}\p{N}]/u.test(value),
  'must be the name of a key, of 1 to 64 characters with a letter or digit',
);

const pattern = v.custom<RegExp>(
  (value) => isRegExp(value) && !matchesNothing(value),
  'must be a RegExp that matches no empty text',
);

const off = v.literal(false, 'must be false or a list of names of keys and RegExps');
const rules = v.array(v.lazy((rule) => (isRegExp(rule) ? pattern : secretName)));

/** Not a union, whose message would not say which of the list is wrong. */
export const redact = v.lazy<typeof off | typeof rules>((value) => (Array.isArray(value) ? rules : off));

/** Told by its tag: a RegExp of another realm is one too. */
function isRegExp(value: unknown): value is RegExp {
  return Object.prototype.toString.call(value) === '[object RegExp]';
}

function matchesNothing({ source, flags }: RegExp): boolean {
  const global = new RegExp(source, `${flags.replace(/[gy]/g, '')}g`);
  return global.test('') || [...SAMPLE.matchAll(global)].some(([found]) => found === '');
}
