import { NOTICE_KINDS, type ActivityNotice } from './activity-bus.js';

/**
 * Ids in one text: with them it has less than the 8,000 bytes that PostgreSQL takes (36 characters of an id and three around
 * it). Never the row: what it holds may be longer than any message.
 */
export const MOST_IN_TEXT = 190;

interface NoticeText {
  from: string;
  notices: ActivityNotice[];
}

/** @param from  who says it: at most 36 characters. */
export function writeNotices(from: string, notices: readonly ActivityNotice[]): string {
  const ids = (kind: string) => notices.flatMap((notice) => (notice.kind === kind ? [notice.activityId] : []));
  return JSON.stringify({ from, ...Object.fromEntries(NOTICE_KINDS.map((kind) => [kind, ids(kind)])) });
}

/** Undefined for what is none of ours: anybody may say something on the same channel, and newer versions more. */
export function readNotices(text: string): NoticeText | undefined {
  try {
    const said = JSON.parse(text) as Record<string, unknown>;
    if (typeof said.from !== 'string') return undefined;
    const notices = NOTICE_KINDS.flatMap((kind) => textsOf(said[kind]).map((activityId) => ({ kind, activityId })));
    return { from: said.from, notices };
  } catch {
    return undefined;
  }
}

function textsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
}
