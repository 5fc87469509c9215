import type { RunningActivity } from '../execution/running-activity.js';
import { StallWatch } from './stall-watch.js';

describe('a stall', () => {
  const lines: string[] = [];
  const warnings: string[] = [];
  const activity = (status: string, settled = false) =>
    ({
      settled,
      record: { status, message: (level: string, text: string) => void lines.push(`${status} ${level}: ${text}`) },
    }) as unknown as RunningActivity;
  const watch = new StallWatch({
    running: {
      all: () => [activity('running'), activity('cancelling'), activity('queued'), activity('running', true)],
    },
    leaseMs: 30_000,
    logger: { warn: (text) => void warnings.push(text) },
  });
  beforeEach(() => void (lines.length = warnings.length = 0));

  it('is told with its length, in the log of the application and of what runs [F56]', () => {
    watch.late(41_200);
    expect(warnings).toEqual([expect.stringMatching(/^The process was stalled for 41 s: .*its lease of 30 s/)]);
    expect(lines).toEqual([
      'running warn: The process was stalled for 41 s.',
      'cancelling warn: The process was stalled for 41 s.',
    ]);
  });

  it('that is shorter than a third of the lease is none', () => {
    watch.late(9_999);
    expect([...warnings, ...lines]).toEqual([]);
    watch.late(10_000);
    expect(warnings).toHaveLength(1);
  });
});
