import type { ConcurrencyLimiter, LimiterPlace, LimiterRequest } from './concurrency-limiter.js';
import { FairLine } from './fair-line.js';

interface Waiter {
  activityId: string;
  grant: () => void;
}

interface Line {
  max: number;
  /** Who holds a slot, and how many use it: the holder and those nested in it that borrow it. */
  slots: Map<string, number>;
  waiting: FairLine<Waiter>;
}

/**
 * Counts within this process; the newest `max` given for a key holds. Lowering it stops nobody. A slot is free again when
 * its holder and all that borrow it have left. Scopes take turns.
 * @see Dijkstra, EWD123 (1965), counting semaphores
 */
export class InProcessLimiter implements ConcurrencyLimiter {
  readonly #lines = new Map<string, Line>();

  enter({ key, max, scope, activityId, ancestorIds }: LimiterRequest): LimiterPlace {
    const line = this.#line(key, max);
    const lender = ancestorIds.find((id) => line.slots.has(id));
    if (lender !== undefined) {
      line.slots.set(lender, line.slots.get(lender)! + 1);
      return this.#place(key, line, { slot: lender });
    }
    if (line.waiting.size === 0 && line.slots.size < max) {
      line.slots.set(activityId, 1);
      return this.#place(key, line, { slot: activityId });
    }
    let grant!: () => void;
    const whenGranted = new Promise<void>((resolve) => (grant = resolve));
    const waiter = { activityId, grant };
    line.waiting.push(waiter, scope);
    return this.#place(key, line, { slot: activityId, waiter, whenGranted });
  }

  holders(key: string): string[] {
    return [...(this.#lines.get(key)?.slots.keys() ?? [])];
  }

  #line(key: string, max: number): Line {
    const present = this.#lines.get(key);
    const line = present ?? { max, slots: new Map<string, number>(), waiting: new FairLine<Waiter>() };
    if (!present) this.#lines.set(key, line);
    line.max = max;
    if (present) handOn(line);
    return line;
  }

  #place(
    key: string,
    line: Line,
    { slot, waiter, whenGranted }: { slot: string; waiter?: Waiter; whenGranted?: Promise<void> },
  ): LimiterPlace {
    let left = false;
    return {
      granted: waiter === undefined,
      whenGranted: whenGranted ?? Promise.resolve(),
      position: () => (waiter ? line.waiting.position(waiter) : 0),
      leave: () => {
        if (left) return;
        left = true;
        if (!waiter || !line.waiting.delete(waiter)) giveBack(line, slot);
        handOn(line);
        if (line.slots.size === 0 && line.waiting.size === 0 && this.#lines.get(key) === line) this.#lines.delete(key);
      },
    };
  }
}

function giveBack(line: Line, slot: string): void {
  const users = (line.slots.get(slot) ?? 1) - 1;
  if (users > 0) line.slots.set(slot, users);
  else line.slots.delete(slot);
}

function handOn(line: Line): void {
  while (line.waiting.size > 0 && line.slots.size < line.max) {
    const next = line.waiting.shift()!;
    line.slots.set(next.activityId, 1);
    next.grant();
  }
}
