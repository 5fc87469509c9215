import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { deferred } from '../../../../test/support/deferred.js';
import type { ActivityBusCarrier, ActivityBusListener } from '../config/bus.options.js';
import type { ActivityNotice } from './activity-bus.js';
import { SharedBus } from './shared-bus.js';

/** What is sent by one is heard by all, this one too, as by PostgreSQL. */
function setUp({ quietMs = 20 } = {}) {
  const listeners: ActivityBusListener[] = [];
  const sent: string[] = [];
  const log: string[] = [];
  let sending: Promise<void> = Promise.resolve();
  const carrier: ActivityBusCarrier = {
    name: 'Test',
    open: (listener) => void listeners.push(listener),
    send: (text) => {
      sent.push(text);
      for (const listener of listeners) listener.heard(text);
      return sending;
    },
    close: () => Promise.resolve(),
  };
  const logger = {
    log: (text: string) => log.push(`log: ${text}`),
    warn: (text: string) => log.push(`warn: ${text}`),
    debug: (text: string) => log.push(`debug: ${text}`),
  };
  const process = (from: string) => {
    const bus = new SharedBus({ from, pollMs: 1_000, quietMs, logger });
    bus.open(carrier);
    const heard: ActivityNotice[] = [];
    bus.notices.subscribe((notice) => heard.push(notice));
    return { bus, heard };
  };
  const sendSlowly = (until: Promise<void>) => void (sending = until);
  return { one: process('one'), two: process('two'), listeners, sent, log, sendSlowly };
}

describe('the bus', () => {
  it('tells this process at once, and the others in one text for all of a turn', async () => {
    const { one, two, sent } = setUp();
    const notices: ActivityNotice[] = [
      { kind: 'cancel', activityId: 'a' },
      { kind: 'cancel', activityId: 'b' },
      { kind: 'settled', activityId: 'c' },
    ];
    for (const notice of [...notices, notices[0]!]) one.bus.publish(notice);
    expect(one.heard).toHaveLength(4);
    expect(sent).toEqual([]);
    await nextTurn();
    expect(sent).toHaveLength(1);
    expect(two.heard).toEqual(notices);
    expect(one.heard).toHaveLength(4);
  });

  it('tells of an end only to those who wait for it', async () => {
    const { one, two, sent } = setUp();
    const settled = (activityId: string) => one.bus.publish({ kind: 'settled', activityId }, { onlyIfWanted: true });
    two.bus.want('a');
    two.bus.want('a');
    await nextTurn();
    expect(sent).toHaveLength(1);
    settled('a');
    settled('b');
    await nextTurn();
    settled('a');
    await nextTurn();
    expect(two.heard).toEqual([{ kind: 'settled', activityId: 'a' }]);
    expect(sent).toHaveLength(2);
  });

  it('[C89] sends ids only, in texts of less than 8,000 bytes, however many there are', async () => {
    const { one, two, sent } = setUp();
    const ids = Array.from({ length: 1_000 }, () => uuid());
    for (const activityId of ids) one.bus.publish({ kind: 'cancel', activityId });
    while (two.heard.length < 1_000) await nextTurn();
    expect(two.heard.map(({ activityId }) => activityId)).toEqual(ids);
    for (const text of sent) expect(Buffer.byteLength(text)).toBeLessThan(8_000);
  });

  it('keeps one text on its way, and a bounded number of notices behind it', async () => {
    const { one, two, sent, sendSlowly } = setUp();
    const slow = deferred();
    sendSlowly(slow.promise);
    one.bus.publish({ kind: 'cancel', activityId: 'first' });
    await nextTurn();
    for (let n = 0; n < 20_000; n++) one.bus.publish({ kind: 'cancel', activityId: String(n) });
    await nextTurn();
    expect(sent).toHaveLength(1);
    sendSlowly(Promise.resolve());
    slow.resolve();
    while (two.heard.length < 10_001) await nextTurn();
    await nextTurn();
    expect(two.heard).toHaveLength(10_001);
  });

  it('leaves alone what others say on the same channel', async () => {
    const { two, listeners } = setUp();
    for (const text of ['', 'null', '[]', '{', '{"from":7}', '{"from":"x","cancel":"a","settled":[7],"new":["b"]}']) {
      listeners[1]!.heard(text);
    }
    expect(two.heard).toEqual([]);
    listeners[1]!.heard('{"from":"x","cancel":["a"]}');
    expect(two.heard).toEqual([{ kind: 'cancel', activityId: 'a' }]);
  });

  it('wakes those who wait for one activity, and all of them when something may have been missed', async () => {
    const { one, two, listeners } = setUp();
    const woken: string[] = [];
    const waits = ['a', 'b'].map((id) => two.bus.hints(id).subscribe(() => woken.push(id)));
    let gaps = 0;
    two.bus.gaps.subscribe(() => gaps++);
    one.bus.publish({ kind: 'settled', activityId: 'b' });
    await nextTurn();
    expect(woken).toEqual(['b']);
    expect(two.bus.isConnected).toBe(false);
    listeners[1]!.connected();
    expect(two.bus.isConnected).toBe(true);
    expect(woken).toEqual(['b', 'a', 'b']);
    expect(gaps).toBe(1);
    for (const wait of waits) wait.unsubscribe();
    one.bus.publish({ kind: 'settled', activityId: 'b' });
    await nextTurn();
    expect(woken).toHaveLength(3);
  });

  it('warns once of an outage that lasts, and says when it is over', async () => {
    const { listeners, log } = setUp({ quietMs: 1 });
    const [listener] = listeners;
    listener!.connected();
    listener!.disconnected(new Error('gone'));
    listener!.connected();
    expect(log.filter((line) => !line.startsWith('debug'))).toEqual([]);
    for (let attempt = 0; attempt < 3; attempt++) listener!.disconnected(new Error('gone'));
    while (!log.some((line) => line.startsWith('warn'))) await nextTurn();
    listener!.disconnected(new Error('gone'));
    listener!.connected();
    expect(log.filter((line) => !line.startsWith('debug'))).toEqual([
      expect.stringMatching(/^warn: Test: .*\(gone\).* by a poll each 1000 ms/),
      expect.stringMatching(/^log: Test: .* is heard again/),
    ]);
  });

  it('outlives a carrier that throws', async () => {
    const log: string[] = [];
    const say = (text: string) => log.push(text);
    const bus = new SharedBus({ from: 'one', pollMs: 1_000, logger: { log: say, warn: say, debug: say } });
    const fail = (what: string) => (): never => {
      throw new Error(`no ${what}`);
    };
    bus.open({ name: 'Test', open: fail('open'), send: fail('send'), close: fail('close') });
    bus.publish({ kind: 'cancel', activityId: 'a' });
    await nextTurn();
    expect(bus.isConnected).toBe(false);
    await bus.close();
    expect(log).toEqual([
      expect.stringContaining('no open'),
      expect.stringContaining('no send'),
      expect.stringContaining('no close'),
    ]);
  });

  it('is closed although its carrier hangs', async () => {
    const { one, sendSlowly } = setUp();
    sendSlowly(new Promise(() => undefined));
    one.bus.publish({ kind: 'cancel', activityId: 'a' });
    await nextTurn();
    await one.bus.close();
    one.bus.publish({ kind: 'cancel', activityId: 'b' });
    expect(one.bus.isConnected).toBeNull();
  });
});
