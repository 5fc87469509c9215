import type { JsonObject, Progress } from '../model/activity.js';
import type { ActivityChanges } from '../storage/activity-store.js';

/** All that may change on a row between its start and its end. */
export type RowValues = Required<Omit<ActivityChanges, 'progress' | 'steps'>> & { progress: Progress };

/** Of one row, what has been handed to be written: so that each write has only what is new. */
export class RowChanges {
  #handed: RowValues | undefined;

  constructor(metadata: JsonObject) {
    this.#handed = { ...INITIAL, metadata };
  }

  /** What differs from what was handed before; from now on, `values` has been. */
  take(values: RowValues): ActivityChanges {
    const before = this.#handed;
    this.#handed = values;
    if (!before) return values;
    const changes: { -readonly [K in keyof RowValues]?: RowValues[K] } & { progress?: Partial<Progress> } = {};
    for (const key of ALONE) if (!isSame(values[key], before[key])) Object.assign(changes, { [key]: values[key] });
    // Together or not at all: rows that change alike are written by one statement.
    if (values.messageCount !== before.messageCount) for (const key of COUNTS) changes[key] = values[key];
    const { progress } = values;
    if (COUNTED.some((key) => progress[key] !== before.progress[key])) return { ...changes, progress };
    if (progress.percent !== before.progress.percent) return { ...changes, progress: { percent: progress.percent } };
    return changes;
  }

  /** A write was refused: what it had is handed once more, with the next one. */
  forget(): void {
    this.#handed = undefined;
  }
}

/** Of a log without lines. */
export const INITIAL_LOG = Object.freeze({
  messageCount: 0,
  warningCount: 0,
  errorCount: 0,
  droppedMessageCount: 0,
  latestMessage: null,
});

/** What a new row has. */
const INITIAL: Omit<RowValues, 'metadata'> = {
  progress: { percent: null, current: null, total: null, unit: null, perSecond: null },
  expectedEndAt: null,
  step: null,
  criticalSection: null,
  ...INITIAL_LOG,
};

const ALONE = ['expectedEndAt', 'step', 'criticalSection', 'latestMessage', 'metadata'] as const;
const COUNTS = ['messageCount', 'warningCount', 'errorCount', 'droppedMessageCount'] as const;
const COUNTED = ['current', 'total', 'unit', 'perSecond'] as const;

/** Times by their value; metadata by identity, since each merge makes another object. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || (one instanceof Date && other instanceof Date && one.getTime() === other.getTime());
}
