/** How a call ends: by itself, with an error, by a cancel, or because its client leaves; all after its first half. */
export const ENDINGS = ['well', 'throws', 'cancelled', 'left'] as const;
export type Ending = (typeof ENDINGS)[number];
