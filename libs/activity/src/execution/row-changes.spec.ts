import { RowChanges, type RowValues } from './row-changes.js';

const metadata = {};
const values = (changed: Partial<RowValues> = {}): RowValues => ({
  progress: { percent: null, current: null, total: null, unit: null, perSecond: null },
  expectedEndAt: null,
  step: null,
  criticalSection: null,
  latestMessage: null,
  messageCount: 0,
  warningCount: 0,
  errorCount: 0,
  droppedMessageCount: 0,
  metadata,
  ...changed,
});

describe('the changes of a row', () => {
  it('are none for one that has said nothing', () => {
    expect(new RowChanges(metadata).take(values())).toEqual({});
  });

  it('are what is new since the last write, the percentage of the progress by itself', () => {
    const changes = new RowChanges(metadata);
    const progress = { percent: 50, current: 1, total: 2, unit: 'files', perSecond: null };
    expect(changes.take(values({ step: 'a', progress, messageCount: 1 }))).toEqual({
      step: 'a',
      messageCount: 1,
      warningCount: 0,
      errorCount: 0,
      droppedMessageCount: 0,
      progress,
    });
    expect(changes.take(values({ step: 'a', progress: { ...progress, percent: 100 }, messageCount: 1 }))).toEqual({
      progress: { percent: 100 },
    });
    expect(changes.take(values({ step: null, progress, messageCount: 1 }))).toEqual({
      step: null,
      progress: { percent: 50 },
    });
  });

  it('tell times by their value, and metadata by the object', () => {
    const changes = new RowChanges(metadata);
    changes.take(values({ expectedEndAt: new Date(5) }));
    expect(changes.take(values({ expectedEndAt: new Date(5) }))).toEqual({});
    expect(changes.take(values({ expectedEndAt: new Date(6), metadata: { a: 1 } }))).toEqual({
      expectedEndAt: new Date(6),
      metadata: { a: 1 },
    });
  });

  it('are everything after a write that was refused', () => {
    const changes = new RowChanges(metadata);
    changes.take(values({ step: 'a' }));
    changes.forget();
    expect(changes.take(values({ step: 'a' }))).toEqual(values({ step: 'a' }));
  });
});
