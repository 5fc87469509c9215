import { describe, expect, it } from '@jest/globals';
import type { Write } from './write.js';
import { WriteQueue } from './write-queue.js';

const owner = { ownerId: 'o', fence: 1 };
const change = (id: string): Write => ({ kind: 'cancel', id, owner, values: [], changes: [] });

function queueOf(...ids: string[]): WriteQueue {
  const queue = new WriteQueue();
  for (const id of ids) void queue.add(change(id));
  return queue;
}
const idsOf = (writes: readonly { write: Write }[]) => writes.map(({ write }) => write.id);

describe('the queue of writes', () => {
  it('puts aside what is for a locked row, and what comes for it, and gives it out in its order', () => {
    const queue = queueOf('a', 'b', 'a', 'c');
    const batch = queue.take();
    void queue.add(change('b'));
    expect(idsOf(queue.hold(new Set(['b']), batch))).toEqual(['a', 'a', 'c']);
    queue.done();
    void queue.add(change('b'));
    expect([queue.heldBack, queue.size, queue.take()]).toEqual([3, 3, []]);
    queue.release(['b']);
    expect(idsOf(queue.take())).toEqual(['b', 'b', 'b']);
    expect(queue.heldBack).toBe(0);
  });

  it('is done for one activity while what is for another one is held back', async () => {
    const queue = queueOf('a', 'b');
    const told: string[] = [];
    const all = [queue.whenDone('a').then(() => told.push('a')), queue.whenDone().then(() => told.push('all'))];
    queue.hold(new Set(['b']), queue.take());
    queue.done();
    await all[0];
    expect(told).toEqual(['a']);
    queue.release(['b']);
    for (const queued of queue.take()) queued.resolve(undefined);
    queue.done();
    await Promise.all(all);
    expect(told).toEqual(['a', 'all']);
  });

  it('is not done before what was put aside and has come back is written', async () => {
    const queue = queueOf('a', 'b');
    const batch = queue.take();
    void queue.add(change('c'));
    let isDone = false;
    const done = queue.whenDone().then(() => (isDone = true));
    queue.hold(new Set(['b']), batch);
    queue.done();
    queue.release(['b']);
    const [c, b] = queue.take();
    expect(idsOf([c!, b!])).toEqual(['c', 'b']);
    await Promise.resolve();
    expect(isDone).toBe(false);
    b!.resolve(undefined);
    queue.done();
    await done;
  });

  it('counts what waits, and its characters', () => {
    const queue = queueOf('a', 'b');
    expect(queue.counts).toEqual({ starts: 0, ends: 0, changes: 2, lines: 0 });
    queue.take();
    expect([queue.size, queue.characters]).toEqual([0, 0]);
  });
});
