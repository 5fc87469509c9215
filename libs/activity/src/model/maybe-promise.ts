/** Given at once where nothing has to be waited for: most calls wait for nothing, and a promise costs as much as an object. */
export type MaybePromise<T> = T | Promise<T>;

/** True for what is to be awaited: promises of any kind, also of another realm. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T>;
export function isPromise(value: unknown): value is PromiseLike<unknown>;
export function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value;
}
