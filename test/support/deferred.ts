export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(this: void, value: T | PromiseLike<T>): void;
  reject(this: void, reason: unknown): void;
}

/**
 * A promise that the test settles: the way to say "now" without a guess at time.
 * @see Promise.withResolvers, which Node 20 lacks
 */
export function deferred<T = void>(): Deferred<T> {
  let resolve!: Deferred<T>['resolve'];
  let reject!: Deferred<T>['reject'];
  const promise = new Promise<T>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
