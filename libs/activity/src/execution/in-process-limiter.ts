import type { ConcurrencyLimiter, LimiterPlace, LimiterRequest } from './concurrency-limiter.js';

interface Waiter {
  activityId: string;
  grant: () => void;
}

interface Line {
  max: number;
  /** Who holds a slot, and how many use it: the holder and those nested in it that borrow it. */
  slots: Map<string, number>;
  waiting: Waiter[];
}

/**
 * Counts within this process; the newest `max` given for a key holds. Lowering it stops nobody. A slot is free again when
 * its holder and all that borrow it have left.
 * @see Dijkstra, EWD123 (1965), counting semaphores
 */
export class InProcessLimiter implements ConcurrencyLimiter {
  readonly #lines = new Map<string, Line>();

  enter({ key, max, activityId, ancestorIds }: LimiterRequest): LimiterPlace {
    const line = this.#line(key, max);
    const lender = ancestorIds.find((id) => line.slots.has(id));
    if (lender !== undefined) {
      line.slots.set(lender, line.slots.get(lender)! + 1);
      return this.#place(key, line, { slot: lender, activityId });
    }
    if (line.waiting.length === 0 && line.slots.size < max) {
      line.slots.set(activityId, 1);
      return this.#place(key, line, { slot: activityId, activityId });
    }
    let grant!: () => void;
    const whenGranted = new Promise<void>((resolve) => (grant = resolve));
    line.waiting.push({ activityId, grant });
    return this.#place(key, line, { slot: activityId, activityId, whenGranted });
  }

  holders(key: string): string[] {
    return [...(this.#lines.get(key)?.slots.keys() ?? [])];
  }

  #line(key: string, max: number): Line {
    const present = this.#lines.get(key);
    const line = present ?? { max, slots: new Map<string, number>(), waiting: [] };
    if (!present) this.#lines.set(key, line);
    line.max = max;
    if (present) handOn(line);
    return line;
  }

  #place(
    key: string,
    line: Line,
    { slot, activityId, whenGranted }: { slot: string; activityId: string; whenGranted?: Promise<void> },
  ): LimiterPlace {
    const placeInLine = (): number => line.waiting.findIndex((waiter) => waiter.activityId === activityId);
    let left = false;
    return {
      granted: whenGranted === undefined,
      whenGranted: whenGranted ?? Promise.resolve(),
      position: () => placeInLine() + 1,
      leave: () => {
        if (left) return;
        left = true;
        const place = placeInLine();
        if (place >= 0) line.waiting.splice(place, 1);
        else giveBack(line, slot);
        handOn(line);
        if (line.slots.size === 0 && line.waiting.length === 0 && this.#lines.get(key) === line)
          this.#lines.delete(key);
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
  while (line.waiting.length > 0 && line.slots.size < line.max) {
    const next = line.waiting.shift()!;
    line.slots.set(next.activityId, 1);
    next.grant();
  }
}
