import type { SlotClaim } from './activity-slots.js';
import type { SqlValue } from './sql-value.js';
import type { InsertWrite, SlotsWrite } from './write.js';

/** One that comes to the line of its limit. */
export interface SlotEntry {
  id: string;
  ownerId: string;
  claim: SlotClaim;
  /** Its first row, as one that waits (in the order of `INSERT_COLUMNS`); undefined: it is there. */
  row?: readonly SqlValue[];
}

/** What is to be done at one limit. */
export interface KeyWork {
  hash: string;
  /** Text of the key, where it is known. */
  key?: string;
  entries: SlotEntry[];
  /** They run, whether there was a slot for them or not. */
  holds: Omit<SlotEntry, 'row'>[];
  /** Ids of those that give their slot or their place back. */
  leaves: string[];
  /** How many at once from now on, whatever the calls say; null: what they say. Undefined: as it is. */
  setMax?: number | null;
}

/** By key, in the one order in which all processes lock them. */
export class SlotWork {
  readonly #byHash = new Map<string, KeyWork>();

  get keys(): KeyWork[] {
    return [...this.#byHash.values()].toSorted((a, b) => (a.hash < b.hash ? -1 : 1));
  }

  /** @param row  the first row of one that comes to the line. */
  add({ kind, id, slot }: SlotsWrite | InsertWrite, row?: readonly SqlValue[]): void {
    const { hash, claim, ownerId } = slot!;
    const work = this.of(hash, claim.key);
    if (kind === 'leave') work.leaves.push(id);
    else if (kind === 'hold') work.holds.push({ id, ownerId, claim });
    else work.entries.push({ id, ownerId, claim, ...(row ? { row } : {}) });
  }

  of(hash: string, key?: string): KeyWork {
    let work = this.#byHash.get(hash);
    if (!work) this.#byHash.set(hash, (work = { hash, entries: [], holds: [], leaves: [] }));
    if (key !== undefined) work.key = key;
    return work;
  }
}
