import { AsyncLocalStorage } from 'node:async_hooks';
import { SharedDeadline } from './shared-deadline.js';

/** Resolves with how many milliseconds it took until the wait was over. */
function lateAfter(deadline: SharedDeadline, onLate: () => unknown = () => undefined): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve) => {
    deadline.wait(() => {
      onLate();
      resolve(performance.now() - begun);
    });
  });
}

describe('a shared deadline', () => {
  it('gives each wait its whole time, and tells them in their order', async () => {
    const deadline = new SharedDeadline(30);
    const told: number[] = [];
    const first = lateAfter(deadline, () => told.push(1));
    await lateAfter(new SharedDeadline(10));
    const second = lateAfter(deadline, () => told.push(2));
    for (const ms of await Promise.all([first, second])) expect(ms).toBeGreaterThanOrEqual(30);
    expect(told).toEqual([1, 2]);
    // When nothing has been waited for in between, too.
    expect(await lateAfter(deadline)).toBeGreaterThanOrEqual(30);
  });

  it('tells nothing of a wait that has ended, whichever it is', async () => {
    const deadline = new SharedDeadline(20);
    const told: number[] = [];
    const waits = [0, 1, 2, 3].map((place) => deadline.wait(() => told.push(place)));
    const last = lateAfter(deadline);
    expect(waits[0]!.end()).toBe(true);
    expect(waits[2]!.end()).toBe(true);
    expect(waits[2]!.end()).toBe(false);
    await last;
    expect(told).toEqual([1, 3]);
    expect(waits[1]!.end()).toBe(false);
  });

  it('lets one that is told end another', async () => {
    const deadline = new SharedDeadline(10);
    const told: string[] = [];
    deadline.wait(() => {
      told.push('first');
      second.end();
    });
    const second = deadline.wait(() => told.push('second'));
    await lateAfter(deadline);
    expect(told).toEqual(['first']);
  });

  it('keeps nothing of the call that has set its timer', async () => {
    const store = new AsyncLocalStorage<string>();
    const deadline = new SharedDeadline(10);
    const seen = await new Promise((resolve) =>
      store.run('a request', () => deadline.wait(() => resolve(store.getStore()))),
    );
    expect(seen).toBeUndefined();
  });
});
