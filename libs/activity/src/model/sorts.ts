/** Orders of a list; `-`: the greatest first. */
export const ACTIVITY_SORTS = ['-created', '-finished', '-duration', 'type', 'status'] as const;
export type ActivitySort = (typeof ACTIVITY_SORTS)[number];
