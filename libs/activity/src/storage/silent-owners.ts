import type { KnownOwner } from './owner-rows.js';

/** Of a lease: who was silent for longer has not been steady, since it cannot say whether the database was there. */
export const STEADY_GAP = 1 / 2;
/** Of a lease: the least that a clock is set back by; what is less is its own correction. */
const FUTURE = 1 / 3;
/** Who has begun to end the activities of a process is left to it for so long after its last step. */
export const SWEEP_CLAIM_MS = 5_000;

/** The process that looks. */
export interface Asking {
  id: string;
  leaseMs: number;
  /** Whether it has been renewing of late, by its own count. */
  isFresh: boolean;
}

export interface Silence {
  /** Whose activities may be ended now, by whoever asks. */
  silent: KnownOwner[];
  /** Milliseconds until there may be more. */
  nextLookMs: number;
}

/**
 * Which processes are taken to be dead: those that nobody has heard of for a lease, as far as the one that asks was heard
 * in all of that time. Where the leases of two differ, the longer one counts. A last word that lies in the future (the
 * database's clock was set back) counts as none: who lives has spoken since.
 * @see docs/decisions/0018-a-dead-process-is-one-that-others-could-have-heard.md
 */
export function silenceAmong({ now, owners }: { now: number; owners: readonly KnownOwner[] }, asking: Asking): Silence {
  const own = owners.find(({ id }) => id === asking.id);
  const ownSilenceMs = own ? now - own.renewedAtMs : Infinity;
  const isHeard = asking.isFresh && ownSilenceMs >= 0 && ownSilenceMs <= asking.leaseMs * STEADY_GAP;
  const steadyForMs = own ? now - own.steadySinceMs : 0;
  const silent: KnownOwner[] = [];
  let nextLookMs = Infinity;
  for (const owner of owners) {
    if (owner.id === asking.id) continue;
    const leaseMs = Math.max(owner.leaseMs, asking.leaseMs);
    const silenceMs = now - owner.renewedAtMs;
    const leftMs = Math.max(
      silenceMs <= -leaseMs * FUTURE ? 0 : leaseMs - silenceMs,
      leaseMs - steadyForMs,
      owner.sweptAtMs === null ? 0 : owner.sweptAtMs + SWEEP_CLAIM_MS - now,
    );
    if (leftMs <= 0 && isHeard) silent.push(owner);
    else nextLookMs = Math.min(nextLookMs, leftMs);
  }
  return { silent, nextLookMs };
}
