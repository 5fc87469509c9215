/** How far the turns of one key have gone. */
export interface Turns {
  /** Counts what was handed to those who waited. */
  served: number;
  /** Whose turn was the last; null: nobody's yet. */
  lastScope: string | null;
}

/** A scope of which somebody waits for slots of a key. */
export interface WaitingScope {
  scope: string;
  /** Served lower first. */
  turn: number;
  /** Place of its oldest waiter, in the order of arrival of all scopes. */
  head: number;
  /** How many of it wait. */
  count: number;
}

export const NO_TURNS: Turns = Object.freeze({ served: 0, lastScope: null });

/**
 * The turn of a scope whose first waiter has just come: after all that have been waiting, but before the one that was
 * served last. So one scope's thousand do not keep another's first waiting, and nobody gains by coming anew each time.
 * @see Nagle, RFC 970 (1985), fair queueing
 */
export function turnOfComer(scope: string, { served, lastScope }: Turns): number {
  return scope === lastScope ? served : served - 1;
}

/** Its turn is over; with this one it waits for its next, if somebody of it still waits. */
export function nextTurn({ served }: Turns, scope: string): Turns {
  return { served: served + 1, lastScope: scope };
}

/** Of two scopes, which is served first: the lower turn, else whose first waiter has waited longer. */
export function byTurn(a: Pick<WaitingScope, 'turn' | 'head'>, b: Pick<WaitingScope, 'turn' | 'head'>): number {
  return a.turn - b.turn || a.head - b.head;
}

/**
 * The place in line of a waiter, if nobody else comes or leaves: 1 for the next one.
 * @param rank  its place within its own scope, from 1.
 */
export function placeInLine(scopes: readonly WaitingScope[], scope: string, rank: number): number {
  const own = scopes.find((one) => one.scope === scope)!;
  let before = 0;
  for (const other of scopes) {
    before += Math.min(other.count, rank - 1);
    if (other.count >= rank && byTurn(other, own) < 0) before++;
  }
  return before + 1;
}
