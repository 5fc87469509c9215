import type { FinalStatus } from './statuses.js';

/** Why an activity ended as it did: a closed list, on every final row, null when it succeeded. */
export type ActivityReason = AbortReason | 'error' | 'queue_timeout';

/** What may abort a running activity's signal. */
export type AbortReason =
  'deadline' | 'user' | 'parent' | 'superseded' | 'client_disconnected' | 'forced' | 'shutdown' | 'owner_lost';

export const ABORT_REASONS: readonly AbortReason[] = [
  'deadline',
  'user',
  'parent',
  'superseded',
  'client_disconnected',
  'forced',
  'shutdown',
  'owner_lost',
];
export const ACTIVITY_REASONS: readonly ActivityReason[] = ['error', 'queue_timeout', ...ABORT_REASONS];

/** The status in which an aborted activity settles: who aborted decides, not what was thrown. */
export function statusAfterAbort(reason: AbortReason): FinalStatus {
  switch (reason) {
    case 'deadline':
      return 'failed';
    case 'shutdown':
    case 'owner_lost':
      return 'interrupted';
    default:
      return 'cancelled';
  }
}
