import { ActivityQueueTimeoutError } from 'nestjs-activity';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

const limit = { key: 'docker', max: 1 };

describe('a limit', () => {
  it('[F43] shows who waits as `queued`, hands the slot on in order, and starts the clock of the work with the slot', async () => {
    const { activities, probe } = await trackedApp({});
    const first = deferred<string>();
    const a = activities.run({ type: 'a', limit }, () => first.promise);
    await probe.started('a');
    const b = activities.run({ type: 'b', limit, timeout: '5s' }, ({ id }) => id);
    const c = activities.run({ type: 'c', limit }, () => 'c');
    await Promise.all([probe.queued('b'), probe.queued('c')]);
    const waiting = await activities.list({ status: 'queued' });
    expect(waiting.items.map(({ type, startedAt, limitKey }) => [type, startedAt, limitKey])).toEqual([
      ['c', null, 'docker'],
      ['b', null, 'docker'],
    ]);
    first.resolve('a');
    expect(await a).toBe('a');
    const id = await b;
    expect(await c).toBe('c');
    const row = await probe.row(id);
    expect(row.startedAt!.getTime()).toBeGreaterThanOrEqual((await probe.settled('a')).endedAt!.getTime());
    expect((await probe.lines(id))[0]).toContain('Waiting for a slot of "docker"');
    expect((await probe.rows()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  it('[F7] [C100] tells waiting too long from working too long', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const holder = activities.run({ type: 'holder', limit }, () => end.promise);
    await probe.started('holder');
    let called = false;
    const late = activities.run({ type: 'late', limit, queueTimeout: 20 }, () => (called = true));
    await expect(late).rejects.toBeInstanceOf(ActivityQueueTimeoutError);
    await expect(late).rejects.toMatchObject({ limitKey: 'docker', queueTimeoutMs: 20 });
    expect(called).toBe(false);
    const patient = activities.run({ type: 'patient', limit, timeout: 25 }, ({ sleep }) => sleep(60_000));
    const { id } = await probe.queued('patient');
    expect(await probe.row(id)).toMatchObject({ status: 'queued' });
    end.resolve();
    await holder;
    await expect(patient).rejects.toMatchObject({ abortReason: 'deadline' });
    expect(await probe.settled('late')).toMatchObject({ status: 'failed', reason: 'queue_timeout', startedAt: null });
    expect(await probe.settled('patient')).toMatchObject({ status: 'failed', reason: 'deadline' });
  });

  it('cancels waiting work at once, without calling it', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const holder = activities.run({ type: 'holder', limit }, () => end.promise);
    await probe.started('holder');
    const waits = activities.run({ type: 'waits', limit }, () => 'never').catch((error: unknown) => error);
    const { id } = await probe.queued('waits');
    const receipt = await activities.cancel(id, { by: 'ada', reason: 'not needed' });
    expect(receipt).toMatchObject({ outcome: 'cancelled', activity: { status: 'cancelled' } });
    expect(await waits).toMatchObject({ abortReason: 'user', by: { id: 'ada' } });
    end.resolve();
    await holder;
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user', startedAt: null });
    expect(probe.count('settled', id)).toBe(1);
  });

  it('[C93] lends nested work the slot of the work around it, with one slot and with two', async () => {
    const { activities } = await trackedApp({});
    const nested = (max: number): Promise<string> =>
      activities.run({ type: 'outer', limit: { key: `k${max}`, max } }, () =>
        activities.run({ type: 'inner', limit: { key: `k${max}`, max } }, () => 'inner ran'),
      );
    expect(await nested(1)).toBe('inner ran');
    expect(await Promise.all([nested(2), nested(2)])).toEqual(['inner ran', 'inner ran']);
  });

  it('answers a background start as soon as it is recorded, while it still waits', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const holder = activities.run({ type: 'holder', limit }, () => end.promise);
    await probe.started('holder');
    const background = await activities.runInBackground({ type: 'background', limit }, () => 'value');
    expect(await probe.row(background.id)).toMatchObject({ status: 'queued' });
    end.resolve();
    await holder;
    expect(await background.done).toBe('value');
    expect(await activities.waitFor(background.id)).toMatchObject({ status: 'succeeded' });
  });
});

describe('waiting for an end', () => {
  it('gives up after its time or with its signal, while the activity goes on', async () => {
    const { activities, probe } = await trackedApp({});
    const end = deferred();
    const work = activities.run({ type: 'x' }, () => end.promise);
    const { id } = await probe.started();
    await expect(activities.waitFor(id, { timeout: 10 })).rejects.toMatchObject({
      code: 'ACTIVITY_WAIT_TIMEOUT',
      status: 'running',
    });
    const reason = new Error('enough');
    const controller = new AbortController();
    const waiting = activities.waitFor(id, { signal: controller.signal });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    const met = activities.waitFor(id);
    end.resolve();
    await work;
    expect(await met).toMatchObject({ status: 'succeeded' });
    expect(await activities.waitFor(id.toUpperCase())).toMatchObject({ status: 'succeeded' });
    await expect(activities.waitFor('abc')).rejects.toMatchObject({ code: 'ACTIVITY_NOT_FOUND' });
    await expect(activities.waitFor(id, { timeout: -1 })).rejects.toThrow(/`timeout` is -1/);
  });

  it('tracks a signal that follows the activity and another', async () => {
    const { activities } = await trackedApp({});
    const handle = await activities.start({ type: 'x' });
    const parent = new AbortController();
    const [bound, other] = [activities.track(handle.id), activities.track(handle.id, parent.signal)];
    parent.abort(new Error('parent'));
    expect([bound.aborted, other.aborted]).toEqual([false, true]);
    await activities.cancel(handle.id, { by: 'ada' });
    expect(bound.reason).toBe(handle.signal.reason);
    expect(await handle.settle(handle.signal.reason)).toBe(true);
    expect(await activities.get(handle.id)).toMatchObject({ status: 'cancelled', reason: 'user' });
    expect(() => activities.track(handle.id)).toThrow(/No activity/);
  });
});
