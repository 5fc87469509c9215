import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v4 } from 'uuid';
import { QUEUE_OWNER } from '../../libs/activity/src/storage/activity-store.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, type OpenStore } from './open-stores.js';

const job = { queue: 'bull:mail', id: '42' };
const fact = () => ({ requestedAt: new Date(), by: { id: 'u1', name: 'Uma' }, reason: 'wrong list' });
const progress = { percent: 40, current: 4, total: 10, unit: 'mails', perSecond: 2 };
const untouched = { percent: null, current: null, total: null, unit: null, perSecond: null };

describeEachDatabase('[F8] attempts under one record', (database) => {
  let first: OpenStore;
  /** Another process. */
  let second: OpenStore;

  beforeAll(async () => {
    const { options } = await database.create(import.meta.url);
    first = await openStore(options);
    second = await openStore(options);
  });
  afterAll(closeStores);

  /** One whose first attempt has said a lot of itself. */
  async function begun() {
    const { store, run, owner, line } = first;
    const row = await run({ job });
    await store.append(line(row.id, 1));
    const steps = { items: [], omitted: 3 };
    const said = { step: 'send', steps, expectedEndAt: new Date(), criticalSection: 'commit', metadata: { sent: 4 } };
    await store.update(row.id, owner, { ...said, progress, messageCount: 1, latestMessage: 'line 1' });
    return row;
  }
  const putBack = (id: string, values = {}) => ({
    id,
    ...first.owner,
    attempts: 2,
    at: new Date(),
    changes: {},
    ...values,
  });

  describe('one that is put back', () => {
    it('waits with its log and metadata; what the attempt has said of itself is gone', async () => {
      const { id, createdAt } = await begun();
      const changes = { progress, step: 'last', messageCount: 2, warningCount: 1, latestMessage: 'It failed.' };
      expect(await first.store.putBack(putBack(id, { changes }))).toEqual({ won: true });
      const stored = await first.store.get(id);
      expect(stored).toMatchObject({
        status: 'queued',
        reason: null,
        attempts: 2,
        job,
        ownerId: QUEUE_OWNER,
        createdAt,
      });
      expect(stored).toMatchObject({ startedAt: null, endedAt: null, progress: untouched, expectedEndAt: null });
      expect(stored).toMatchObject({ step: null, steps: [], omittedStepCount: 0, criticalSection: null });
      expect(stored).toMatchObject({ metadata: { sent: 4 }, messageCount: 2, latestMessage: 'It failed.' });
    });

    it('is written no more by the one that had it', async () => {
      const { store, owner, end, line } = first;
      const { id } = await begun();
      await store.putBack(putBack(id));
      await store.append(line(id, 2));
      await store.update(id, owner, { step: 'late' });
      expect(await store.settle(end(id))).toEqual({ won: false, status: 'queued' });
      expect(await store.messages(id, {})).toHaveLength(1);
      expect(await store.get(id)).toMatchObject({ status: 'queued', step: null });
    });

    it('many in one batch with others that end, each with its lines', async () => {
      const { store, run, line, end } = first;
      const rows = await Promise.all(Array.from({ length: 30 }, () => run({ job })));
      const results = await Promise.all(
        rows.flatMap(({ id }, place) => [
          store.append(line(id, 1)),
          place % 3 ? store.putBack(putBack(id, { attempts: place })) : store.settle(end(id)),
        ]),
      );
      expect(results.filter((result) => result?.won)).toHaveLength(30);
      for (const [place, { id }] of rows.entries()) {
        expect(await store.get(id)).toMatchObject(
          place % 3 ? { status: 'queued', attempts: place } : { status: 'succeeded', attempts: 1 },
        );
        expect(await store.messages(id, {})).toHaveLength(1);
      }
    });

    it('is not, where somebody has asked it to stop, or it has ended', async () => {
      const { store, run } = first;
      const { id } = await run({ job });
      await store.requestCancel(id, fact());
      expect(await store.putBack(putBack(id))).toEqual({ won: false, status: 'cancelling' });
      const ended = await run({ job }, {});
      expect(await store.putBack(putBack(ended.id))).toEqual({ won: false, status: 'succeeded' });
      expect(await store.putBack(putBack(v4()))).toEqual({ won: false, status: null });
    });

    it('can be cancelled while it waits', async () => {
      const { id } = await begun();
      await first.store.putBack(putBack(id));
      expect(await second.store.requestCancel(id, fact())).toMatchObject({ outcome: 'cancelled' });
    });
  });

  describe('one that is adopted', () => {
    it('waits for its slot in the new process, which goes on with its log', async () => {
      const { id } = await begun();
      await first.store.putBack(putBack(id));
      const adopted = await second.store.adopt(id);
      const owner = { ownerId: second.store.ownerId, fence: 2 };
      expect(adopted).toMatchObject({ adopted: true, owner, lastSeq: 1, activity: { status: 'queued', attempts: 2 } });
      const startedAt = new Date();
      expect(await second.store.grant(id, owner, startedAt)).toEqual({ won: true });
      await second.store.append(second.line(id, 2, owner));
      expect(await second.store.settle(second.end(id, owner))).toEqual({ won: true });
      expect(await first.store.get(id)).toMatchObject({ status: 'succeeded', startedAt, attempts: 2 });
      expect((await first.store.messages(id, {})).map(({ seq }) => seq)).toEqual([1, 2]);
    });

    it('is taken from one that runs it, as a new attempt, and that one writes nothing any more', async () => {
      const { store, owner, end, line } = first;
      const { id } = await begun();
      expect(await second.store.adopt(id)).toMatchObject({
        adopted: true,
        owner: { ownerId: second.store.ownerId, fence: 2 },
        activity: {
          status: 'queued',
          attempts: 2,
          startedAt: null,
          progress: untouched,
          step: null,
          metadata: { sent: 4 },
        },
      });
      await store.append(line(id, 2));
      expect(await store.settle(end(id))).toMatchObject({ won: false });
      expect(await store.putBack(putBack(id))).toMatchObject({ won: false });
      expect(await store.lostAmong([{ id, ...owner }])).toHaveLength(1);
      expect(await store.messages(id, {})).toHaveLength(1);
    });

    it('stays what it is, where it is being stopped', async () => {
      const { id } = await begun();
      await first.store.requestCancel(id, fact());
      const adopted = await second.store.adopt(id);
      expect(adopted).toMatchObject({ adopted: true, activity: { status: 'cancelling', attempts: 1, step: 'send' } });
      const end = { status: 'cancelled', reason: 'user', fence: 2 } as const;
      expect(await second.store.settle(second.end(id, end))).toEqual({ won: true });
    });

    it('is not, where it has ended, is unknown, or another has been quicker to take what waits', async () => {
      const { store, run } = first;
      const ended = await run({}, {});
      expect(await store.adopt(ended.id)).toMatchObject({ adopted: false, activity: { status: 'succeeded' } });
      for (const id of [v4(), 'abc']) expect(await store.adopt(id)).toEqual({ adopted: false, activity: null });
      const { id } = await run({ job });
      await store.putBack(putBack(id));
      const both = await Promise.all([first, second].map((one) => one.store.adopt(id, { waiting: true })));
      expect(both.filter(({ adopted }) => adopted)).toHaveLength(1);
    });
  });
});
