import { describe, expect, it } from '@jest/globals';
import { storableText, storableTextOrNull } from './storable-text.js';

describe('text that is stored', () => {
  it.each([
    ['stays as it is when it fits', 'abc', 3, 'abc'],
    ['is cut with a mark when it does not', 'abcd', 3, 'ab…'],
    ['is counted in characters, not in halves of them', '🚀🚀🚀', 3, '🚀🚀🚀'],
    ['is never cut within a character', '🚀🚀🚀🚀', 3, '🚀🚀…'],
    ['has no NUL', 'a\0b', 9, 'a\ufffdb'],
    ['has no half characters', '\ud83da\udc00', 9, '\ufffda\ufffd'],
    ['keeps whole ones', '\ud83d\ude80', 9, '🚀'],
  ])('%s', (_what, given, max, expected) => {
    expect(storableText(given, max)).toBe(expected);
  });

  it('costs no more than what can be kept', () => {
    const huge = '\0'.repeat(50_000_000);
    const started = performance.now();
    expect(storableText(huge, 100)).toHaveLength(100);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('may be missing, or a number that was given for an id', () => {
    expect([storableTextOrNull(null, 9), storableTextOrNull(undefined, 9), storableTextOrNull(7, 9)]).toEqual([
      null,
      null,
      '7',
    ]);
  });
});
