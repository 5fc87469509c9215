import {
  ACTIVITY_STATUSES,
  FINAL_STATUSES,
  canFollow,
  isActivityStatus,
  isFinalStatus,
  statusesBefore,
} from './statuses.js';

describe('statuses', () => {
  it('[F1] has four distinct ends, and none of them is ever left', () => {
    expect(FINAL_STATUSES).toEqual(['succeeded', 'failed', 'cancelled', 'interrupted']);
    for (const from of FINAL_STATUSES) {
      expect(ACTIVITY_STATUSES.filter((to) => canFollow(from, to))).toEqual([]);
    }
  });

  it('lets waiting work end in every way but success', () => {
    expect(statusesBefore('succeeded')).toEqual(['running', 'cancelling']);
    expect(statusesBefore('cancelled')).toEqual(['queued', 'running', 'cancelling']);
    expect(statusesBefore('running')).toEqual(['queued']);
    expect(statusesBefore('queued')).toEqual(['running']);
  });

  it('takes no text for a status that only looks like one', () => {
    for (const text of ['sucess', 'Failed', '', 'constructor', 'toString']) {
      expect(isActivityStatus(text)).toBe(false);
      expect(isFinalStatus(text)).toBe(false);
    }
  });
});
