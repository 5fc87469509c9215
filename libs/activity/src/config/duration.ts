import ms from 'ms';

/** Milliseconds as a number, or text such as `500ms`, `30s`, `10m`, `2h`, `1d` (as the package `ms` reads it). */
export type Duration = number | ms.StringValue;

/** Milliseconds of a duration, or undefined when it is not a positive, finite one. */
export function toMilliseconds(duration: unknown): number | undefined {
  const value = typeof duration === 'string' && duration.length <= 100 ? ms(duration as ms.StringValue) : duration;
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}
