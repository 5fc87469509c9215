import type { ConflictPolicy } from '../config/activity.options.js';
import type { RunningActivity } from './running-activity.js';

/** An activity of this process that has a key, or stands in line for it. */
export interface KeyUser {
  readonly activity: RunningActivity;
  readonly type: string;
  readonly onConflict: ConflictPolicy;
  /** What its run comes to, for those who join it; undefined where it cannot be shared. */
  readonly outcome?: Promise<unknown>;
  /** Resolves when the database has been asked for the first time: until then it may still be refused. */
  readonly asked: Promise<void>;
  /** True once the key is its own everywhere. */
  owns: boolean;
}

interface Waiter {
  user: KeyUser;
  grant: () => void;
}

interface Line {
  holder: KeyUser;
  /** The holder, and those nested in it that borrow the key. */
  users: number;
  waiting: Waiter[];
}

/** `held`: first in this process. `lent`: an activity around has it. `waiting`: in line. */
export interface LinePlace {
  readonly state: 'held' | 'lent' | 'waiting';
  readonly whenHeld: Promise<void>;
  /** Calling it twice is harmless. */
  leave(): void;
}

/**
 * Who has which exclusive key within this process: one line for each key, first come first served. The database says it
 * for all processes; this saves most questions to it, and holds while it is away.
 */
export class ExclusiveLines {
  readonly #lines = new Map<string, Line>();

  /** The holder; undefined where the key is free, or an activity around this one lends it. */
  heldAgainst(hash: string, activity: RunningActivity): KeyUser | undefined {
    const line = this.#lines.get(hash);
    return line && !isAround(line.holder.activity, activity) ? line.holder : undefined;
  }

  /** Those who wait, and whose place a newer one takes. */
  superseders(hash: string): RunningActivity[] {
    const waiting = this.#lines.get(hash)?.waiting ?? [];
    return waiting.filter(({ user }) => user.onConflict === 'supersede').map(({ user }) => user.activity);
  }

  /** @param options.ahead  before all that wait. */
  enter(hash: string, user: KeyUser, { ahead = false }: { ahead?: boolean } = {}): LinePlace {
    const line = this.#lines.get(hash);
    if (!line) {
      const own = { holder: user, users: 1, waiting: [] };
      this.#lines.set(hash, own);
      return this.#place(hash, own, { user, state: 'held' });
    }
    if (isAround(line.holder.activity, user.activity)) {
      line.users++;
      return this.#place(hash, line, { user, state: 'lent' });
    }
    let grant!: () => void;
    const whenHeld = new Promise<void>((resolve) => (grant = resolve));
    if (ahead) line.waiting.unshift({ user, grant });
    else line.waiting.push({ user, grant });
    return this.#place(hash, line, { user, state: 'waiting', whenHeld });
  }

  #place(
    hash: string,
    line: Line,
    { user, state, whenHeld }: { user: KeyUser; state: LinePlace['state']; whenHeld?: Promise<void> },
  ): LinePlace {
    let left = false;
    return {
      state,
      whenHeld: whenHeld ?? Promise.resolve(),
      leave: () => {
        if (left) return;
        left = true;
        const place = line.waiting.findIndex((waiter) => waiter.user === user);
        if (place >= 0) line.waiting.splice(place, 1);
        else if (--line.users === 0) this.#handOn(hash, line);
      },
    };
  }

  #handOn(hash: string, line: Line): void {
    const next = line.waiting.shift();
    if (!next) {
      this.#lines.delete(hash);
      return;
    }
    line.holder = next.user;
    line.users = 1;
    next.grant();
  }
}

function isAround(holder: RunningActivity, activity: RunningActivity): boolean {
  return activity.ancestorIds.includes(holder.id);
}
