import { Injectable } from '@nestjs/common';
import { ActivityShutdownError, TrackedActivity, currentActivity, type ActivityContext } from 'nestjs-activity';
import { ActivityRunner } from '../../libs/activity/src/execution/activity-runner.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { closeApps, databaseFile, trackedApp, type TrackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

/** Resolves when the signal has aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** How all has ended that an application has run, once it is closed. */
async function closedRows(first: TrackedApp, file: string): Promise<(readonly [string, string, string | null])[]> {
  await first.app.close();
  const { probe } = await trackedApp({}, { database: { type: 'better-sqlite3', database: file } });
  return (await probe.rows()).map(({ type, status, reason }) => [type, status, reason] as const);
}

describe('the notice of a shutdown', () => {
  it('comes before the abort, and what heeds it ends well in its grace [F15]', async () => {
    const file = databaseFile();
    const app = await trackedApp(
      {},
      { database: { type: 'better-sqlite3', database: file }, activity: { shutdownGrace: '20s' } },
    );
    const seen: boolean[] = [];
    const work = app.activities.run({ type: 'import' }, async ({ shutdown, signal }) => {
      await aborted(shutdown);
      seen.push(signal.aborted, app.activities.shutdown.aborted);
      return 'saved what there was';
    });
    await app.probe.started('import');
    expect(app.activities.shutdown.aborted).toBe(false);
    expect(await closedRows(app, file)).toEqual([['import', 'succeeded', null]]);
    expect(await work).toBe('saved what there was');
    expect(seen).toEqual([false, true]);
    expect(app.activities.shutdown.reason).toMatchObject({ code: 'ACTIVITY_SHUT_DOWN' });
  });

  it('is a reason to end with: what throws it is interrupted, its step too, and so is its parent [F15] [F14]', async () => {
    const file = databaseFile();
    const app = await trackedApp(
      {},
      { database: { type: 'better-sqlite3', database: file }, activity: { shutdownGrace: '20s' } },
    );
    const work = app.activities.run({ type: 'parent' }, async (parent) =>
      parent.run({ type: 'child' }, (child) =>
        child.step('copying', async () => {
          await aborted(child.shutdown);
          child.shutdown.throwIfAborted();
        }),
      ),
    );
    work.catch(() => undefined);
    const { id } = await app.probe.started('child');
    await app.app.close();
    await expect(work).rejects.toBeInstanceOf(ActivityShutdownError);
    const { probe } = await trackedApp({}, { database: { type: 'better-sqlite3', database: file } });
    const rows = await probe.rows();
    expect(rows.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['parent', 'interrupted', 'shutdown'],
      ['child', 'interrupted', 'shutdown'],
    ]);
    expect((await probe.row(id)).steps).toMatchObject([{ name: 'copying', status: 'interrupted' }]);
  });

  it('leaves other errors failures, and a cancel that came before it a cancel', async () => {
    const file = databaseFile();
    const app = await trackedApp(
      {},
      { database: { type: 'better-sqlite3', database: file }, activity: { shutdownGrace: '20s' } },
    );
    const works = [
      app.activities.run({ type: 'fails' }, async ({ shutdown }) => {
        await aborted(shutdown);
        throw new Error('disk full');
      }),
      app.activities.run({ type: 'cancelled' }, async ({ shutdown }) => {
        await aborted(shutdown);
        shutdown.throwIfAborted();
      }),
    ];
    for (const work of works) work.catch(() => undefined);
    await app.probe.started('fails');
    await app.activities.cancel((await app.probe.started('cancelled')).id);
    expect(await closedRows(app, file)).toEqual([
      ['fails', 'failed', 'error'],
      ['cancelled', 'cancelled', 'user'],
    ]);
  });

  it('never comes outside of an activity, nor to one that has ended', async () => {
    const app = await trackedApp({});
    const ended = await app.activities.run({ type: 'over' }, (activity: ActivityContext) => activity);
    await app.app.close();
    expect([currentActivity().shutdown.aborted, ended.shutdown.aborted, ended.signal.aborted]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('the grace of a shutdown', () => {
  it('is each type’s own: by the decorator, by the call, and of the activity around it [F16]', async () => {
    @Injectable()
    class Reports {
      readonly end = deferred();
      @TrackedActivity({ type: 'long', shutdownGrace: '20s' })
      async build(): Promise<string> {
        await this.end.promise;
        return currentActivity().run({ type: 'child of long' }, async (child) => {
          expect(child.shutdown.aborted).toBe(true);
          return 'built';
        });
      }
    }
    const file = databaseFile();
    const app = await trackedApp(
      { providers: [Reports] },
      { database: { type: 'better-sqlite3', database: file }, activity: { shutdownGrace: 1 } },
    );
    const reports = app.get(Reports);
    const built = reports.build();
    const others = [
      app.activities.run({ type: 'as the module' }, ({ sleep }) => sleep(60_000)),
      app.activities.run({ type: 'none', shutdownGrace: 0 }, ({ sleep }) => sleep(60_000)),
    ];
    await Promise.all(['long', 'as the module', 'none'].map((type) => app.probe.started(type)));
    const rows = closedRows(app, file);
    for (const other of others) await expect(other).rejects.toBeInstanceOf(ActivityShutdownError);
    reports.end.resolve();
    expect(await built).toBe('built');
    expect(await rows).toEqual([
      ['long', 'succeeded', null],
      ['as the module', 'interrupted', 'shutdown'],
      ['none', 'interrupted', 'shutdown'],
      ['child of long', 'succeeded', null],
    ]);
    expect(app.log.warnings('Stopping')).toEqual(['Stopping: 2 activities were interrupted.']);
  });

  it('lets who has joined another of this process wait for what that comes to', async () => {
    const app = await trackedApp({}, { activity: { shutdownGrace: '20s' } });
    const end = deferred();
    const options = { type: 'index', exclusive: { key: 'index', onConflict: 'join' as const } };
    const first = app.activities.run(options, () => end.promise.then(() => 'built'));
    await app.probe.started('index');
    let joined = false;
    const second = app.activities.run(options, () => 'not run').finally(() => (joined = true));
    const { running } = app.get(ActivityRunner);
    await eventually(
      () => Promise.resolve(running.all()),
      (all) => all.some(({ isJoinedHere }) => isJoinedHere),
    );
    const closing = app.app.close();
    await aborted(app.activities.shutdown);
    expect(joined).toBe(false);
    end.resolve();
    expect(await Promise.all([first, second])).toEqual(['built', 'built']);
    await closing;
  });

  it('refuses a value that is no duration', async () => {
    const app = await trackedApp({});
    await expect(app.activities.run({ type: 'x', shutdownGrace: -1 }, () => 1)).rejects.toMatchObject({
      code: 'ACTIVITY_OPTION_INVALID',
      problems: [
        '`shutdownGrace` is -1: it must be 0, a positive number of milliseconds or text such as "30s" or "10m"',
      ],
    });
  });
});
