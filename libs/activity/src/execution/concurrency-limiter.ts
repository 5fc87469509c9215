/** A place at a limit: a slot, or a place in the line for one. */
export interface LimiterPlace {
  /** True from the start where a slot was free. */
  readonly granted: boolean;
  /** Resolves when the slot is there. Never rejects: who stops waiting calls `leave`. */
  readonly whenGranted: Promise<void>;
  /** 1 for the next one; 0 when granted. */
  position(): number;
  /** Gives the slot back, or leaves the line; calling it twice is harmless. */
  leave(): void;
}

export interface LimiterRequest {
  key: string;
  max: number;
  /** Scopes take turns. */
  scope: string;
  activityId: string;
  /** The activities around this one, nearest first: work nested in the same key borrows its holder's slot. */
  ancestorIds: readonly string[];
}

/** Hands out the slots of each limit, first come first served. */
export interface ConcurrencyLimiter {
  /** Takes a slot or a place in the line, at once. */
  enter(request: LimiterRequest): LimiterPlace;
  /** Ids of those that hold a slot of the key. */
  holders(key: string): string[];
}

export const CONCURRENCY_LIMITER = Symbol('ConcurrencyLimiter');
