import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { LeaseKeeper } from '../../libs/activity/src/recovery/lease-keeper.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { closeStores, openStore } from '../storage/open-stores.js';
import { ownersTable, type OwnersTable } from './owners-table.js';

const LEASE_MS = 30_000;

describeEachDatabase('the lease of a process', (database) => {
  let options: DataSourceOptions;
  let owners: OwnersTable;

  beforeEach(async () => {
    ({ options } = await database.create(import.meta.url));
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await closeStores();
    await owners.close();
  });
  const open = async () => {
    const under = await openStore(options);
    owners = await ownersTable(options);
    return { ...under, row: () => owners.row(under.store.ownerId) };
  };

  it("says who it is and until when it is believed, by the database's clock whatever its own says [F52] [C103]", async () => {
    const real = Date.now;
    jest.spyOn(Date, 'now').mockImplementation(() => real() + 600_000);
    const { row, store } = await open();
    const { host, pid, startedAt, renewedAt, expiresAt, now } = await row();
    expect({ host, pid }).toEqual({ host: hostname(), pid: process.pid });
    expect(expiresAt - renewedAt).toBe(LEASE_MS);
    expect(now - renewedAt).toBeGreaterThanOrEqual(0);
    expect(now - renewedAt).toBeLessThan(10_000);
    expect(Math.abs(now - startedAt - process.uptime() * 1_000)).toBeLessThan(10_000);
    expect(await store.renewLease()).toBe('kept');
    expect((await row()).renewedAt).toBeLessThan(Date.now() - 500_000);
  });

  it('is renewed where it had run out and nobody has minded', async () => {
    const { row, store } = await open();
    await owners.age(store.ownerId, LEASE_MS + 1);
    const before = await row();
    expect(before.expiresAt).toBeLessThan(before.now);
    expect(await store.renewLease()).toBe('kept');
    expect((await row()).expiresAt).toBeGreaterThan(before.now);
  });

  it('is its own again, and in doubt, where others have taken from it or its row is gone', async () => {
    const { row, store } = await open();
    await owners.change(store.ownerId, 'sweeps = sweeps + 1');
    expect(await store.renewLease()).toBe('taken');
    expect(await store.renewLease()).toBe('kept');
    await owners.delete(store.ownerId);
    expect(await store.renewLease()).toBe('taken');
    expect(await store.renewLease()).toBe('kept');
    expect(await row()).toMatchObject({ host: hostname(), pid: process.pid });
  });

  it('is steady only while it is renewed without a gap', async () => {
    const { row, store } = await open();
    await owners.age(store.ownerId, LEASE_MS / 3);
    const { steadySince } = await row();
    await store.renewLease();
    expect((await row()).steadySince).toBe(steadySince);
    await owners.age(store.ownerId, LEASE_MS / 2 + 100);
    await store.renewLease();
    const afterGap = await row();
    expect(afterGap.steadySince).toBe(afterGap.renewedAt);
    // The database's clock was set back.
    await owners.age(store.ownerId, -60_000);
    await store.renewLease();
    const afterJump = await row();
    expect(afterJump.steadySince).toBe(afterJump.renewedAt);
  });

  it('is given back at the end, but stands where activities are left behind', async () => {
    const { store, run, end } = await open();
    const { id } = await run();
    await store.close(1_000);
    expect(await owners.ids()).toEqual([store.ownerId]);
    const next = await openStore(options);
    await next.store.settle({ ...end(id), ownerId: store.ownerId });
    await next.store.close(1_000);
    expect(await owners.ids()).toEqual([store.ownerId]);
  });

  it('tells which activities are lost: what others have ended or taken, not what has not been written yet', async () => {
    const { store, run, end, activity } = await open();
    const [running, queued, ended, taken] = [await run(), await run({ status: 'queued' }), await run(), await run()];
    const unwritten = activity();
    const requestedAt = new Date();
    await store.requestCancel(queued.id, { requestedAt, by: { id: 'ada', name: null }, reason: 'no more' });
    await store.settle(end(ended.id, { status: 'interrupted', reason: 'owner_lost' }));
    await owners.query('UPDATE activities SET fence = 2 WHERE id = ?', [taken.id]);
    const lost = await store.lostAmong([running, queued, ended, taken, unwritten]);
    expect(lost.toSorted((a, b) => a.id.localeCompare(b.id))).toEqual([
      {
        id: queued.id,
        status: 'cancelled',
        reason: 'user',
        cancel: { requestedAt, by: { id: 'ada', name: null }, reason: 'no more' },
      },
      { id: ended.id, status: 'interrupted', reason: 'owner_lost', cancel: null },
      { id: taken.id, status: 'running', reason: null, cancel: null },
    ]);
    const many = Array.from({ length: 2_500 }, () => activity());
    expect(await store.lostAmong([...many, ended])).toMatchObject([{ id: ended.id }]);
  });
});

describe('who keeps the lease', () => {
  it('has one renewal under way at most, however long it takes [C107]', async () => {
    let underWay = 0;
    let most = 0;
    const enough = new AbortController();
    let renewals = 0;
    const renewLease = async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 50));
      underWay--;
      if (++renewals === 5) enough.abort();
      return 'kept' as const;
    };
    const silent = { debug: () => undefined, warn: () => undefined };
    const keeper = new LeaseKeeper({
      store: { renewLease, lostAmong: async () => [] },
      running: { all: () => [] },
      leaseMs: 30,
      pollMs: 10,
      logger: silent,
    });
    keeper.start();
    await new Promise((resolve) => enough.signal.addEventListener('abort', resolve));
    await keeper.stop();
    expect({ most, underWay }).toEqual({ most: 1, underWay: 0 });
  });
});

describe('the option `lease`', () => {
  it('is checked at the start: long enough for a pause, and for three polls', async () => {
    await expect(trackedApp({}, { activity: { lease: 100 } })).rejects.toMatchObject({
      code: 'ACTIVITY_OPTION_INVALID',
      message: expect.stringContaining('`lease` is 100: it must be at least 500 ms') as unknown,
    });
    const { log } = await trackedApp({}, { activity: { lease: '2s' } });
    expect(log.warnings()).toEqual([expect.stringContaining('less than three polls: set it to at least 3000 ms')]);
    const { log: quiet } = await trackedApp({}, { activity: { lease: '2s', cancelPoll: 600 } });
    expect(quiet.warnings()).toEqual([]);
    await closeApps();
  });
});
