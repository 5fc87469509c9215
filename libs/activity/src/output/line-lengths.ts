/** What a writer gathers of one line at least, in bytes, and what is looked at of a text, in characters: well above what a line of a log may keep, so that the cut is the log's own. */
export const LONGEST_LINE = 128 * 1024;

/**
 * Characters before `LONGEST_LINE` that are looked at and not kept: a secret that the gathering has cut in half ends
 * within them, so that no pattern sees only its half and leaves it.
 */
export const CUT_OVERLAP = 8 * 1024;
