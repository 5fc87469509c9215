import { Injectable } from '@nestjs/common';
import { TrackedActivity } from 'nestjs-activity';
import { of, type Observable } from 'rxjs';
import { deferred } from '../support/deferred.js';
import { holdWrites } from '../support/held-database.js';
import { closeApps, databaseFile, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describe('keys at their edges', () => {
  it('an option function that throws refuses the call, since work that must not run twice is not run at all', async () => {
    let bodies = 0;
    @Injectable()
    class Broken {
      @TrackedActivity({
        exclusive: () => {
          throw new Error('no key');
        },
      })
      async exclusive() {
        bodies++;
      }

      @TrackedActivity({ idempotencyKey: () => '' })
      async once() {
        bodies++;
      }
    }
    const { get, probe } = await trackedApp({ providers: [Broken] });
    await expect(get(Broken).exclusive()).rejects.toMatchObject({ code: 'ACTIVITY_OPTION_INVALID' });
    await expect(get(Broken).once()).rejects.toMatchObject({ code: 'ACTIVITY_OPTION_INVALID' });
    expect(bodies).toBe(0);
    expect(await probe.rows()).toEqual([]);
  });

  it('a join of a stream, and of what is settled by hand, is refused with the way out', async () => {
    expect(() => {
      class Streams {
        @TrackedActivity({ returns: 'observable', exclusive: { key: 'k', onConflict: 'join' } })
        values(): Observable<number> {
          return of(1);
        }
      }
      return Streams;
    }).toThrow(/must be 'reject', 'queue' or 'supersede'/);
    const { activities } = await trackedApp({});
    await expect(activities.start({ type: 'x', exclusive: { key: 'k', onConflict: 'join' } })).rejects.toMatchObject({
      code: 'ACTIVITY_OPTION_INVALID',
    });
    await expect(activities.start({ type: 'x', idempotencyKey: 'k' })).rejects.toThrow(/use `run`/);
  });

  it('while the database takes no writes a key holds within this process, and the log says so', async () => {
    const options = { type: 'better-sqlite3', database: databaseFile() } as const;
    const { activities, probe } = await trackedApp({}, { database: options, activity: { startTimeout: 80 } });
    const release = await holdWrites(options);
    const end = deferred<string>();
    const holder = activities.run({ type: 'holder', exclusive: 'k' }, () => end.promise);
    const { id } = await probe.started('holder');
    await expect(activities.run({ type: 'second', exclusive: 'k' }, () => 'ran')).rejects.toMatchObject({
      code: 'ACTIVITY_CONFLICT',
      holder: { id },
    });
    await expect(
      activities.run({ type: 'refused', exclusive: 'other', onStoreFailure: 'reject' }, () => 'ran'),
    ).rejects.toMatchObject({ code: 'ACTIVITY_STORE_UNAVAILABLE' });
    end.resolve('done');
    expect(await holder).toBe('done');
    await release();
    await probe.settled(id);
    expect(await probe.lines(id)).toEqual([
      'The database did not answer, so "k" is kept apart from others within this process only.',
    ]);
  });
});
