import fc from 'fast-check';
import { firstIdAt, newActivityId, storedId } from './activity-id.js';

describe('the id of an activity', () => {
  it('rises with the time of its creation, and within a millisecond', () => {
    const times = [0, 1, 1, 1, 2, 1_795_600_000_000, 1_795_600_000_000, 1_795_600_000_001];
    const ids = times.map((time) => newActivityId(new Date(time)));
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('follows a clock that is set back', () => {
    const late = newActivityId(new Date(2_000_000_000_000));
    expect(newActivityId(new Date(1_700_000_000_000)) < late).toBe(true);
  });

  it('is bounded by the time it was made at', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 2 }), (time) => {
        const id = newActivityId(new Date(time));
        expect(firstIdAt(time) < id && id < firstIdAt(time + 1)).toBe(true);
        expect(storedId(id)).toBe(id);
      }),
    );
  });

  it('is stored in one form, and nothing that is no UUID is one', () => {
    const id = newActivityId(new Date());
    expect([storedId(id), storedId(id.toUpperCase())]).toEqual([id, id]);
    const wrong = [
      `${id}0`,
      id.slice(1),
      id.replace('-', '0'),
      `${id.slice(0, -1)}g`,
      `${id.slice(0, -1)}:`,
      `-${id.slice(1)}`,
    ];
    for (const given of [...wrong, ` ${id.slice(1)}`, '', 7, null, undefined, { toString: () => id }]) {
      expect(storedId(given)).toBeNull();
    }
  });
});
