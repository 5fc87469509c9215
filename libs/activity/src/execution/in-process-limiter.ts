import type { ConcurrencyLimiter, LimiterPlace, LimiterRequest } from './concurrency-limiter.js';

interface Waiter {
  activityId: string;
  grant: () => void;
}

interface Line {
  max: number;
  holders: Set<string>;
  waiting: Waiter[];
}

/**
 * Counts within this process; the newest `max` given for a key holds. Lowering it stops nobody.
 * @see Dijkstra, EWD123 (1965), counting semaphores
 */
export class InProcessLimiter implements ConcurrencyLimiter {
  readonly #lines = new Map<string, Line>();

  enter({ key, max, activityId, ancestorIds }: LimiterRequest): LimiterPlace {
    const line = this.#line(key, max);
    if (ancestorIds.some((id) => line.holders.has(id))) return borrowed;
    if (line.waiting.length === 0 && line.holders.size < max) {
      line.holders.add(activityId);
      return this.#place(key, line, activityId, { granted: true, whenGranted: Promise.resolve() });
    }
    let grant!: () => void;
    const whenGranted = new Promise<void>((resolve) => (grant = resolve));
    line.waiting.push({ activityId, grant });
    return this.#place(key, line, activityId, { granted: false, whenGranted });
  }

  holders(key: string): string[] {
    return [...(this.#lines.get(key)?.holders ?? [])];
  }

  #line(key: string, max: number): Line {
    const present = this.#lines.get(key);
    const line = present ?? { max, holders: new Set<string>(), waiting: [] };
    if (!present) this.#lines.set(key, line);
    line.max = max;
    if (present) handOn(line);
    return line;
  }

  #place(
    key: string,
    line: Line,
    activityId: string,
    given: Pick<LimiterPlace, 'granted' | 'whenGranted'>,
  ): LimiterPlace {
    return {
      ...given,
      position: () => line.waiting.findIndex((waiter) => waiter.activityId === activityId) + 1,
      leave: () => {
        line.holders.delete(activityId);
        const place = line.waiting.findIndex((waiter) => waiter.activityId === activityId);
        if (place >= 0) line.waiting.splice(place, 1);
        handOn(line);
        if (line.holders.size === 0 && line.waiting.length === 0 && this.#lines.get(key) === line) {
          this.#lines.delete(key);
        }
      },
    };
  }
}

function handOn(line: Line): void {
  while (line.waiting.length > 0 && line.holders.size < line.max) {
    const next = line.waiting.shift()!;
    line.holders.add(next.activityId);
    next.grant();
  }
}

const borrowed: LimiterPlace = {
  granted: true,
  whenGranted: Promise.resolve(),
  position: () => 0,
  leave: () => undefined,
};
