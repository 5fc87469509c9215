import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import { deferred } from './deferred.js';

describe('a deferred', () => {
  it('stays pending until it is resolved', async () => {
    const { promise, resolve } = deferred<string>();
    const pending = Symbol('pending');
    expect(await Promise.race([promise, Promise.resolve(pending)])).toBe(pending);
    resolve('now');
    expect(await promise).toBe('now');
  });

  it('rejects with the very reason it was given', async () => {
    const { promise, reject } = deferred();
    const reason = new Error('no');
    reject(reason);
    await expect(promise).rejects.toBe(reason);
  });

  it('takes what its type says, and nothing at all without one', () => {
    expectTypeOf(deferred<string>().resolve).parameter(0).toEqualTypeOf<string | PromiseLike<string>>();
    expectTypeOf(deferred().promise).toEqualTypeOf<Promise<void>>();
  });
});
