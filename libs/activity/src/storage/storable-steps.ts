import type { ActivityStep, StepStatus } from '../model/activity.js';
import { isFinalStatus, type ActivityStatus } from '../model/statuses.js';
import { LENGTHS } from './activity-entities.js';
import { parseStored } from './storable-json.js';
import { storableText, storableTextOrNull } from './storable-text.js';

/** Steps as an activity keeps them: those shown, and how many were left out between them. */
export interface StoredSteps {
  items: readonly ActivityStep[];
  omitted: number;
}

/** As JSON text; times are milliseconds, as in columns. */
export function storableSteps({ items, omitted }: StoredSteps): string | null {
  if (items.length === 0) return null;
  const plain = items.map(({ name, startedAt, endedAt, progress, ...step }) => ({
    ...step,
    name: storableText(name, LENGTHS.step),
    startedAt: startedAt?.getTime() ?? null,
    endedAt: endedAt?.getTime() ?? null,
    progress: { ...progress, unit: storableTextOrNull(progress.unit, LENGTHS.progress_unit) },
  }));
  return JSON.stringify({ items: plain, omitted });
}

type PlainStep = Omit<ActivityStep, 'startedAt' | 'endedAt'> & { startedAt: number | null; endedAt: number | null };

/**
 * The other way. Where the activity has ended and its process could not say so (it died), what it left running has
 * ended with it.
 */
export function stepsOf(
  text: string | null,
  { status, endedAt }: { status: ActivityStatus; endedAt: Date | null },
): { steps: ActivityStep[]; omittedStepCount: number } {
  const stored = parseStored<{ items?: PlainStep[]; omitted?: number } | null>(text, null);
  const omittedStepCount = stored?.omitted ?? 0;
  const items = Array.isArray(stored?.items) ? stored.items : [];
  const steps = items.map((step) => ({
    ...step,
    startedAt: step.startedAt === null ? null : new Date(step.startedAt),
    endedAt: step.endedAt === null ? null : new Date(step.endedAt),
  }));
  if (!isFinalStatus(status)) return { steps, omittedStepCount };
  const left: Partial<Record<StepStatus, Partial<ActivityStep>>> = {
    pending: { status: 'skipped' },
    running: { status, endedAt },
  };
  return { steps: steps.map((step) => ({ ...step, ...left[step.status] })), omittedStepCount };
}
