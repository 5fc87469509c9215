export const NDJSON = 'application/x-ndjson';

/**
 * How much a caller wants each kind of answer, from 0 (not at all) to 1; undefined where the header does not name it.
 * @param type  in lower case; wildcards are kinds of their own here.
 */
function acceptedQuality(header: string | undefined, type: string): number | undefined {
  if (header === undefined) return undefined;
  for (const range of header.split(',', 100)) {
    const [name, ...parameters] = range.split(';');
    if (name!.trim().toLowerCase() !== type) continue;
    const quality = parameters
      .map((one) => /^\s*q\s*=\s*([\d.]+)\s*$/i.exec(one)?.[1])
      .find((one) => one !== undefined);
    const value = Number(quality ?? 1);
    return Number.isNaN(value) ? 0 : Math.min(1, value);
  }
  return undefined;
}

/** Named, and not less than plain JSON. */
export function asksForStream(header: string | undefined): boolean {
  const stream = acceptedQuality(header, NDJSON) ?? 0;
  return stream > 0 && stream >= (acceptedQuality(header, 'application/json') ?? 0);
}

/** Where nothing is said, all is welcome. */
export function takesStream(header: string | undefined): boolean {
  if (header === undefined || header.trim() === '') return true;
  const quality = [NDJSON, 'application/*', '*/*'].map((type) => acceptedQuality(header, type));
  return (quality.find((one) => one !== undefined) ?? 0) > 0;
}
