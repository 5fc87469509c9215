const DAY_MS = 86_400_000;
const TIME = String.raw`(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?`;
const OFFSET = String.raw`(?:Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)`;
const ISO_8601 = new RegExp(String.raw`^(?<day>\d{4}-\d\d-\d\d)(?:T(?<time>${TIME})(?<offset>${OFFSET})?)?$`);

/**
 * Reads a time in ISO 8601: `2026-11-25T10:00:00+02:00`, without an offset (taken as UTC), or a day alone.
 * A plus sign that a URL made into a space is taken for what it was.
 * @param dayAs  the instant that a day alone stands for.
 * @returns undefined for anything else, and for a day that the calendar does not have.
 */
export function readIsoTime(text: string, dayAs: 'start' | 'end'): Date | undefined {
  const parts = ISO_8601.exec(text.replace(/(?<=T.*) (?=\d\d:?\d\d$)/, '+'))?.groups;
  if (!parts) return undefined;
  const { day, time, offset = 'Z' } = parts;
  const start = new Date(`${day}T00:00:00Z`);
  // Date takes the 30th of February for the 2nd of March.
  if (Number.isNaN(start.getTime()) || start.toISOString().slice(0, 10) !== day) return undefined;
  if (time === undefined) return dayAs === 'start' ? start : new Date(start.getTime() + DAY_MS);
  return new Date(`${day}T${time}${offset.replace(/(\d\d)(\d\d)$/, '$1:$2')}`);
}
