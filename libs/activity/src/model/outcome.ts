import { cancellationOf, isShutdown } from './cancellation.js';
import { statusAfterAbort, type AbortReason, type ActivityReason } from './reasons.js';
import type { FinalStatus } from './statuses.js';

/** How the work came back: with a value, or with whatever it threw. */
export type Completion = { ok: true; value: unknown } | { ok: false; error: unknown };

export interface Outcome {
  status: FinalStatus;
  reason: ActivityReason | null;
}

/** Reasons whose status a type may choose. A lost lease and force are not the work's own: the row is ended by others. */
export type ChosenReason = Exclude<AbortReason, 'forced' | 'owner_lost'>;
export const CHOSEN_REASONS = ['deadline', 'user', 'parent', 'superseded', 'client_disconnected', 'shutdown'] as const;
export type OutcomeChoices = { readonly [reason in ChosenReason]?: FinalStatus | undefined };

/** What the work was told: to stop, or before that, that the application is about to. */
export interface EndSignals {
  readonly signal: AbortSignal;
  readonly shutdown: AbortSignal;
}

/**
 * The outcome follows from who aborted. A normal return is a success, also after a cancel. An error is a cancellation
 * only if the activity's *own* signal was aborted: an AbortError of anything else is a failure like any other. Work that was
 * told of the shutdown, and ends with what it was told, is interrupted by it, though its signal was not aborted yet.
 * @param choices  of the activity's type, in place of the status that the reason has by itself.
 * @see Temporal, packages/worker/src/activity.ts: only "if we set a reason"
 */
export function outcomeOf(completion: Completion, { signal, shutdown }: EndSignals, choices?: OutcomeChoices): Outcome {
  if (completion.ok) return { status: 'succeeded', reason: null };
  const cancellation = cancellationOf(signal);
  if (cancellation) return outcomeAfter(cancellation.abortReason, choices);
  if (shutdown.aborted && isShutdown(completion.error)) return outcomeAfter('shutdown', choices);
  return { status: 'failed', reason: 'error' };
}

/** How work ends that was aborted for this reason: as the table says, unless its type has chosen. */
export function outcomeAfter(reason: AbortReason, choices: OutcomeChoices = {}): Outcome {
  const status = choices[reason as ChosenReason] ?? statusAfterAbort(reason);
  return { status, reason: status === 'succeeded' ? null : reason };
}
