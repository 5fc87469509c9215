/** Given at once where nothing has to be waited for: most calls wait for nothing, and a promise costs as much as an object. */
export type MaybePromise<T> = T | Promise<T>;

/** True for what `await` would wait for: promises, also of another realm, and whatever else has a `then`. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T>;
export function isPromise(value: unknown): value is PromiseLike<unknown>;
export function isPromise(value: unknown): boolean {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  return typeof (value as { then?: unknown }).then === 'function';
}
