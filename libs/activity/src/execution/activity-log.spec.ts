import { ActivityLog, cutText, type LogLine } from './activity-log.js';

const about = { source: 'log' as const, step: null, at: new Date(0) };

describe('the log of an activity', () => {
  it('[F37] numbers its lines from 1 without a gap and counts warnings and errors', () => {
    const log = new ActivityLog({ maxMessageLength: 80, maxMessages: 100 });
    const lines = (['info', 'warn', 'error'] as const).map((level) => log.write(level, level, about).line);
    expect(lines.map(({ seq, level }) => [seq, level])).toEqual([
      [1, 'info'],
      [2, 'warn'],
      [3, 'error'],
    ]);
    expect(log.counts).toMatchObject({ messageCount: 3, warningCount: 1, errorCount: 1, latestMessage: 'error' });
  });

  it('[F40] keeps the first and the newest lines within its cap, cutting whole ranges with a marker that counts', () => {
    const log = new ActivityLog({ maxMessageLength: 200, maxMessages: 100 });
    const kept = new Map<number, LogLine>();
    let cuts = 0;
    for (let n = 1; n <= 10_000; n++) {
      const { line, cut } = log.write('info', `line ${n}`, about);
      kept.set(line.seq, line);
      if (!cut) continue;
      cuts++;
      for (let seq = cut.fromSeq; seq <= cut.toSeq; seq++) kept.delete(seq);
      kept.set(cut.marker.seq, cut.marker);
      expect(kept.size).toBeLessThanOrEqual(100);
    }
    const lines = [...kept.values()].toSorted((a, b) => a.seq - b.seq);
    expect(lines.slice(0, 50).map((line) => line.text)).toEqual(Array.from({ length: 50 }, (_, i) => `line ${i + 1}`));
    expect(lines.at(-1)?.text).toBe('line 10000');
    const markers = lines.filter((line) => line.source === 'activity');
    expect(markers).toHaveLength(1);
    const dropped = log.counts.droppedMessageCount;
    expect(markers[0]?.text).toContain(dropped.toLocaleString('en'));
    // Every line is either kept or counted as left out.
    expect(lines.length - 1 + dropped).toBe(10_000);
    expect(log.counts.messageCount).toBe(10_000);
    expect(cuts).toBeLessThan(1_100);
  });

  it('[F40] counts lines that nobody has looked at, and leaves out all from its first half to them', () => {
    const log = new ActivityLog({ maxMessageLength: 200, maxMessages: 100 });
    for (let n = 1; n <= 95; n++) log.write('info', `line ${n}`, about);
    const cut = log.skip(1_000_000, 'warn', about);
    expect(cut).toMatchObject({ fromSeq: 51, toSeq: 1_000_095, marker: { seq: 1_000_095 } });
    expect(cut.marker.text).toContain('1,000,045 lines left out');
    expect(log.write('info', 'next', about)).toMatchObject({ line: { seq: 1_000_096 } });
    expect(log.counts).toMatchObject({
      messageCount: 1_000_096,
      warningCount: 1_000_000,
      droppedMessageCount: 1_000_045,
    });
    expect(log.skip(1, 'info', about)).toMatchObject({ fromSeq: 1_000_095, toSeq: 1_000_097 });
  });

  it('[F40] cuts a long line on a character and says how much is missing', () => {
    const cut = cutText(`${'a'.repeat(55)}🚀${'b'.repeat(60)}`, 80);
    expect(cut).toBe(`${'a'.repeat(55)} … (62 more characters)`);
    expect(cut.length).toBeLessThanOrEqual(80);
    expect(cutText('short', 80)).toBe('short');
  });
});
