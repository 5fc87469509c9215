import { readPrefer } from './prefer-header.js';

describe('the Prefer header', () => {
  it.each<[string | undefined, Record<string, string>]>([
    [undefined, {}],
    ['', {}],
    ['respond-async', { 'respond-async': '' }],
    ['Respond-Async, WAIT=10', { 'respond-async': '', wait: '10' }],
    ['respond-async; foo="a,b", wait = 10', { 'respond-async': '', wait: '10' }],
    ['wait="20"', { wait: '20' }],
    ['foo="a, respond-async", bar', { foo: 'a, respond-async', bar: '' }],
    ['foo="a\\"b"', { foo: 'a"b' }],
    ['wait=1, wait=2', { wait: '1' }],
    ['foo=""; bar, wait=', { foo: '', wait: '' }],
    [', ,wait=3,', { wait: '3' }],
  ])('%j is read', (header, preferences) => {
    expect(Object.fromEntries(readPrefer(header))).toEqual(preferences);
  });

  it.each([
    ['=10', {}],
    ['respond async', {}],
    ['"respond-async"', {}],
    ['wait=1 2, respond-async', { 'respond-async': '' }],
    ['a"b, respond-async', { 'respond-async': '' }],
    ['é=1, wait=5', { wait: '5' }],
  ])('of %j only what is well formed counts', (header, preferences) => {
    expect(Object.fromEntries(readPrefer(header))).toEqual(preferences);
  });

  it('reads a hostile header in no time, and a very long one not at all', () => {
    const started = performance.now();
    for (const part of ['"', 'a=', '"\\', ';', ' ']) {
      readPrefer(part.repeat(500));
      expect(readPrefer(`respond-async,${part.repeat(100_000)}`).size).toBe(0);
    }
    expect(performance.now() - started).toBeLessThan(500);
  });
});
