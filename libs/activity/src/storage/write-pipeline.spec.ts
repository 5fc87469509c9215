import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CasResult, NewLines } from './activity-store.js';
import type { WriteBatch } from './write-batch.js';
import { WritePipeline, type PipelineParts } from './write-pipeline.js';
import { grantWrite, insertWrite, linesWrite, settleWrite, updateWrite } from './storable-writes.js';

const owner = { ownerId: 'o', fence: 1 };
const id = '0198c0de-0000-7000-8000-000000000001';

function lines(...seqs: number[]): NewLines {
  const about = { at: new Date(), level: 'info', text: 'x', source: 'log', step: null } as const;
  return { activityId: id, ...owner, lines: seqs.map((seq) => ({ seq, ...about })) };
}

function settle(of = id) {
  const outcome = { status: 'succeeded', reason: null, endedAt: new Date(), error: null } as const;
  return settleWrite(of, { id: of, ...owner, ...outcome, changes: {} });
}

function insert(of = id) {
  const nothing = {
    title: null,
    resource: null,
    actor: null,
    batchId: null,
    parentId: null,
    limitKey: null,
    job: null,
  };
  const origin = { kind: null, label: null, requestId: null, traceparent: null };
  const times = { createdAt: new Date(), startedAt: null };
  const row = {
    id: of,
    ...owner,
    ...nothing,
    ...times,
    origin,
    scope: 's',
    type: 't',
    metadata: {},
    cancellable: true,
  };
  return insertWrite(of, { ...row, status: 'queued' });
}

/** A database that answers each batch as it is told to. */
function pipelineOver(answer: (batch: WriteBatch) => void = () => undefined, isLocked: () => boolean = () => false) {
  const batches: WriteBatch[] = [];
  const log: string[] = [];
  const parts: PipelineParts = {
    write: async (batch) => {
      answer(batch);
      batches.push(batch);
      const won = (groups: WriteBatch['grants']) =>
        new Map<string, CasResult>(groups.flatMap(({ rows }) => rows.map((row) => [row.id, { won: true }])));
      return { grants: won(batch.grants), putBacks: won(batch.putBacks), settlements: won(batch.settlements) };
    },
    lockedAmong: async (ids) => new Set(isLocked() ? ids.filter((one) => one === id) : []),
    maxWaitingWrites: 1_000,
    remakeTables: async () => false,
    logger: { warn: (text) => log.push(text) },
  };
  return { pipeline: new WritePipeline(parts), batches, log };
}

async function turnsUntil(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !holds(); turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(holds()).toBe(true);
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('the write pipeline', () => {
  it('writes all that is asked for in one turn as one batch', async () => {
    const { pipeline, batches } = pipelineOver();
    const other = id.replace(/1$/, '2');
    const writes = [insert(), insert(other), grantWrite(id, owner, new Date()), linesWrite(id, lines(1)), settle(id)];
    const results = await Promise.all(writes.map((write) => pipeline.add(write)));
    expect(results).toEqual([undefined, undefined, { won: true }, undefined, { won: true }]);
    expect(batches).toHaveLength(1);
    expect(batches[0]).toMatchObject({
      inserts: [[id], [other]].map(expect.arrayContaining),
      messages: [{ lines: [[1, expect.any(Number), 'info', 'x', 'log', null]] }],
    });
  });

  it('ends a batch where a write would overtake an earlier one of its activity', async () => {
    const { pipeline, batches } = pipelineOver();
    await Promise.all([
      pipeline.add(settle()),
      pipeline.update(updateWrite(id, owner, { step: 'late' })),
      pipeline.add(linesWrite(id, lines(2))),
      pipeline.add(settle()),
      pipeline.add(settle()),
    ]);
    expect(batches.map(({ settlements, updates }) => [settlements.length, updates.length])).toEqual([
      [1, 0],
      [1, 1],
      [1, 0],
    ]);
  });

  it('makes one of several updates that wait, but not of one beyond the end', async () => {
    const { pipeline, batches } = pipelineOver();
    const updates = ['a', 'b', 'c'].map((step) => pipeline.update(updateWrite(id, owner, { step })));
    const ended = pipeline.add(settle());
    await Promise.all([...updates, ended, pipeline.update(updateWrite(id, owner, { step: 'late' }))]);
    expect(batches.map(({ updates: groups }) => groups.map(({ rows }) => rows.map(({ values }) => values[1])))).toEqual(
      [[['c']], [['late']]],
    );
  });

  it('finds the line that is refused among those that were handed over with it, and writes the others', async () => {
    const { pipeline, batches } = pipelineOver(({ messages }) => {
      if (messages.some((insertion) => insertion.lines.some(([seq]) => seq === 4))) throw new Error('unstorable');
    });
    const written = pipeline.add(linesWrite(id, lines(1, 2, 3, 4, 5, 6, 7)));
    await expect(written).rejects.toThrow('unstorable');
    expect(batches.flatMap(({ messages }) => messages.flatMap((of) => of.lines.map(([seq]) => seq)))).toEqual([
      1, 2, 3, 5, 6, 7,
    ]);
    expect(pipeline.stats()).toMatchObject({ refused: 1, writes: 6, waiting: { lines: 0 } });
  });

  describe('while a row is locked and something else of the batch is refused', () => {
    const other = id.replace(/1$/, '2');
    const textsOf = ({ messages }: WriteBatch) =>
      messages.flatMap(({ activityId, lines: all }) => all.map(([seq]) => `${activityId.slice(-1)}:${seq}`));
    let isLocked = false;
    let wasLocked = false;
    beforeEach(() => {
      isLocked = wasLocked = false;
    });
    const answer = (batch: WriteBatch) => {
      if (textsOf(batch).includes('2:66') || textsOf(batch).includes('1:66')) {
        isLocked ||= !wasLocked;
        wasLocked = true;
        throw new Error('unstorable');
      }
      const rows = [...textsOf(batch), ...batch.settlements.flatMap(({ rows: ended }) => ended.map(() => '1:end'))];
      if (isLocked && rows.some((row) => row.startsWith('1'))) throw failure('55P03');
    };

    it('goes on with the lines beside the refused one when the row is free', async () => {
      const { pipeline, batches } = pipelineOver(answer, () => isLocked);
      const written = pipeline.add(linesWrite(id, lines(1, 2, 66, 3)));
      written.catch(() => undefined);
      await turnsUntil(() => pipeline.stats().heldBack > 0);
      isLocked = false;
      await expect(written).rejects.toThrow('unstorable');
      await pipeline.add(linesWrite(other, { ...lines(1), activityId: other }));
      expect(batches.flatMap(textsOf)).toEqual(['1:1', '1:2', '1:3', '2:1']);
    });

    it('keeps the order of what is held back: of this batch, and of what waits behind it', async () => {
      const { pipeline, batches } = pipelineOver(answer, () => isLocked);
      const first = pipeline.add(linesWrite(id, lines(1)));
      const poison = pipeline.add(linesWrite(other, { ...lines(66), activityId: other }));
      poison.catch(() => undefined);
      const second = pipeline.add(linesWrite(id, lines(2)));
      await turnsUntil(() => isLocked);
      const end = pipeline.add(settle());
      await expect(poison).rejects.toThrow('unstorable');
      isLocked = false;
      await Promise.all([first, second, end]);
      const seen = batches.flatMap((batch) => [...textsOf(batch), ...batch.settlements.map(() => 'end')]);
      expect(seen).toEqual(['1:1', '1:2', 'end']);
    });
  });

  it('keeps what waits while the database is away, says so once, and writes it when it is back', async () => {
    const { pipeline, log } = pipelineOver(() => {
      // Away until it has been told.
      if (log.length === 0) throw new Error('Connection terminated unexpectedly');
    });
    const written = [1, 2, 3].map((seq) => pipeline.add(linesWrite(id, lines(seq))));
    expect(await pipeline.add(settle())).toEqual({ won: true });
    await Promise.all(written);
    expect(log).toEqual([
      'Activities cannot be written for now, and are kept until they can: Connection terminated unexpectedly',
      'Activities are written again.',
    ]);
  });

  it('gives up when it is closed, and says so to everyone who waits', async () => {
    const { pipeline } = pipelineOver(() => {
      throw failure('SQLITE_BUSY');
    });
    const [ended] = await Promise.allSettled([pipeline.add(settle()), pipeline.close(30)]);
    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'ACTIVITY_STORE_UNAVAILABLE' } });
    await expect(pipeline.add(linesWrite(id, lines(1)))).rejects.toThrow('nothing more is written');
  });
});
