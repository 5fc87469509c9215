import { ACTIVE_STATUSES, statusesBefore, type ActivityStatus } from '../model/statuses.js';
import type { SqlValue } from './sql-value.js';
import type { Ownership } from './activity-store.js';
import {
  ATTEMPT_COLUMNS,
  CANCEL_COLUMNS,
  CHANGE_COLUMNS,
  GRANT_COLUMNS,
  MARK_COLUMNS,
  PUT_BACK_COLUMNS,
  SETTLE_BODY_COLUMNS,
  SETTLE_COLUMNS,
  type Changes,
  type LinesInsert,
  type LineValues,
  type MessageRange,
  type Write,
} from './write.js';
import { SlotWork } from './slot-work.js';

/** A change of one row that only its owner may make. */
export interface RowUpdate {
  id: string;
  ownerId: string;
  fence: number;
  /** In the order of the group's columns. */
  values: readonly SqlValue[];
  /** Of a change of status: `startedAt` or `endedAt`, as it is asked to be written. */
  at?: number;
}

/** Rows that get the same columns set in one statement, each while it stands in one of the statuses `from`. */
export interface UpdateGroup {
  columns: readonly string[];
  from: readonly ActivityStatus[];
  rows: RowUpdate[];
  /** Columns that become null. */
  cleared?: readonly string[];
  /** A change of status: who was first is told. */
  to?: ActivityStatus;
  /** Leaves alone a row that has a cancel already. */
  firstCancelOnly?: true;
}

/** All that one transaction writes, in this order. */
export interface WriteBatch {
  /** What is done at limits, with the first rows that depend on it; undefined where it is nothing. */
  slots?: SlotWork;
  /** Values in the order of `INSERT_COLUMNS`. */
  inserts: (readonly SqlValue[])[];
  grants: UpdateGroup[];
  updates: UpdateGroup[];
  messages: LinesInsert[];
  trims: MessageRange[];
  markers: LinesInsert[];
  /** `running → cancelling`. */
  marks: UpdateGroup[];
  cancels: UpdateGroup[];
  /** `running → queued`. */
  putBacks: UpdateGroup[];
  settlements: UpdateGroup[];
}

/** Sorts what waits into statements: one for each kind and set of columns, whatever the number of rows. */
export function batchOf(writes: readonly Write[]): WriteBatch {
  const inserts: (readonly SqlValue[])[] = [];
  const messages: LinesInsert[] = [];
  const trims: MessageRange[] = [];
  const markers: LinesInsert[] = [];
  const grants = new UpdateGroups();
  const updates = new UpdateGroups();
  const marks = new UpdateGroups();
  const cancels = new UpdateGroups();
  const putBacks = new UpdateGroups();
  const settlements = new UpdateGroups();
  let slots: SlotWork | undefined;
  for (const write of writes) {
    switch (write.kind) {
      case 'insert':
        if (write.slot) (slots ??= new SlotWork()).add(write, write.values);
        else inserts.push(write.values);
        break;
      case 'enter':
      case 'hold':
      case 'leave':
        (slots ??= new SlotWork()).add(write);
        break;
      case 'grant':
        grants.add(
          write,
          { fixed: GRANT_COLUMNS, values: write.values },
          { from: statusesBefore(write.to), to: write.to },
        );
        break;
      case 'update':
        updates.add(write, { fixed: [], values: [] }, { from: ACTIVE_STATUSES });
        break;
      case 'cancel': {
        const fixed = write.values.length > 1 ? MARK_COLUMNS : MARK_COLUMNS.slice(0, 1);
        marks.add(write, { fixed, values: write.values }, { from: statusesBefore('cancelling') });
        break;
      }
      case 'lines':
        messages.push(write.lines);
        break;
      case 'trim':
        trims.push(write.range);
        markers.push(write.marker);
        break;
      case 'putBack':
        putBacks.add(
          write,
          { fixed: PUT_BACK_COLUMNS, values: write.values },
          { from: statusesBefore(write.to), to: write.to, cleared: ATTEMPT_COLUMNS },
        );
        break;
      case 'settle':
        if (write.cancel) {
          const { id, owner, cancel } = write;
          const guard = { from: ACTIVE_STATUSES, firstCancelOnly: true } as const;
          cancels.add({ id, owner, changes: [] }, { fixed: CANCEL_COLUMNS, values: cancel }, guard);
        }
        settlements.add(
          write,
          {
            fixed: write.values.length > SETTLE_COLUMNS.length ? SETTLE_BODY_COLUMNS : SETTLE_COLUMNS,
            values: write.values,
          },
          { from: statusesBefore(write.to), to: write.to },
        );
        break;
    }
  }
  return withoutTrimmed({
    inserts,
    grants: grants.all,
    updates: updates.all,
    messages,
    trims,
    markers,
    marks: marks.all,
    cancels: cancels.all,
    putBacks: putBacks.all,
    settlements: settlements.all,
    ...(slots ? { slots } : {}),
  });
}

class UpdateGroups {
  readonly all: UpdateGroup[] = [];
  readonly #byKey = new Map<string, UpdateGroup>();

  add(
    { id, owner, changes, at }: { id: string; owner: Ownership; changes: Changes; at?: number },
    { fixed, values }: { fixed: readonly string[]; values: readonly SqlValue[] },
    guard: Pick<UpdateGroup, 'from' | 'to' | 'firstCancelOnly' | 'cleared'>,
  ): void {
    const all = values.slice();
    let places = 0;
    // By place: an iterator makes a pair for each, most of which are empty.
    for (let place = 0; place < changes.length; place++) {
      const value = changes[place];
      if (value === undefined) continue;
      all.push(value);
      places |= 1 << place;
    }
    const key = `${guard.to ?? ''}${fixed.length}:${places}`;
    let group = this.#byKey.get(key);
    if (!group) {
      const columns = [...fixed, ...CHANGE_COLUMNS.filter((_, place) => changes[place] !== undefined)];
      group = { columns, rows: [], ...guard };
      this.#byKey.set(key, group);
      this.all.push(group);
    }
    const { ownerId, fence } = owner;
    group.rows.push(at === undefined ? { id, ownerId, fence, values: all } : { id, ownerId, fence, values: all, at });
  }
}

/** Lines that the same batch trims away again are not written at all. */
function withoutTrimmed(batch: WriteBatch): WriteBatch {
  const { trims } = batch;
  if (trims.length === 0) return batch;
  const rest = (inserts: readonly LinesInsert[], rangesFor: (place: number) => readonly MessageRange[]) =>
    inserts
      .map((insert, place) => {
        const ranges = rangesFor(place).filter(({ activityId }) => activityId === insert.activityId);
        const isLeft = ([seq]: LineValues) => !ranges.some(({ fromSeq, toSeq }) => seq >= fromSeq && seq <= toSeq);
        return ranges.length === 0 ? insert : { ...insert, lines: insert.lines.filter(isLeft) };
      })
      .filter(({ lines }) => lines.length > 0);
  return {
    ...batch,
    messages: rest(batch.messages, () => trims),
    markers: rest(batch.markers, (place) => trims.slice(place + 1)),
  };
}
