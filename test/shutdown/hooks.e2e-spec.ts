import { Global, Injectable, Module } from '@nestjs/common';
import { ActivityService, TrackedActivity, currentActivity } from 'nestjs-activity';
import { describeEachDatabase } from '../support/databases.js';
import { deferred } from '../support/deferred.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

/** What running work needs, and what is gone once its hook was called: a client, a pool. */
@Injectable()
class Client {
  isOpen = true;
  onModuleDestroy(): void {
    this.isOpen = false;
  }
}

@Module({ providers: [Client], exports: [Client] })
class ClientModule {}

@Global()
@Module({ providers: [Client], exports: [Client] })
class GlobalClientModule {}

/** Each hook of an application's end calls a tracked method. */
@Injectable()
class Saves {
  readonly saved: string[] = [];
  @TrackedActivity({ type: 'save' })
  async save(when: string): Promise<void> {
    currentActivity().log.info(when);
    await currentActivity().flushed();
    this.saved.push(when);
  }
  onModuleDestroy(): Promise<void> {
    return this.save('onModuleDestroy');
  }
  beforeApplicationShutdown(): Promise<void> {
    return this.save('beforeApplicationShutdown');
  }
  onApplicationShutdown(): Promise<void> {
    return this.save('onApplicationShutdown');
  }
}

@Module({ providers: [Saves], exports: [Saves] })
class SavesModule {}

@Global()
@Module({ providers: [Saves], exports: [Saves] })
class GlobalSavesModule {}

const ORDERS = [
  ['imported before the tracker', false, [ClientModule, SavesModule]],
  ['imported after the tracker', true, [ClientModule, SavesModule]],
  ['global, before the tracker', true, [GlobalClientModule, GlobalSavesModule]],
  ['global, after the tracker', false, [GlobalClientModule, GlobalSavesModule]],
] as const;

describeEachDatabase('a shutdown', (database) => {
  it.each(ORDERS)(
    'closes the database behind all others, with modules %s [C105] [C51] [F16]',
    async (_order, activityModuleLast, imports) => {
      const { options } = await database.create(import.meta.url);
      const { app, activities, probe, get, log } = await trackedApp(
        { imports: [...imports] },
        { database: options, activityModuleLast, activity: { shutdownGrace: '20s' } },
      );
      const [client, saves] = [get(Client), get(Saves)];
      const end = deferred();
      const work = activities.run({ type: 'work' }, async ({ log: lines }) => {
        await end.promise;
        lines.info(`the client is ${client.isOpen ? 'open' : 'closed'}`);
      });
      await probe.started('work');
      activities.shutdown.addEventListener('abort', () => end.resolve(), { once: true });
      await app.close();
      await work;
      expect(saves.saved).toEqual(['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown']);
      expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
      await expect(saves.save('too late')).rejects.toMatchObject({ code: 'ACTIVITY_SHUT_DOWN' });

      const { probe: later } = await trackedApp({}, { database: options });
      const rows = await later.rows();
      expect(rows.map(({ type, status, latestMessage }) => [type, status, latestMessage])).toEqual([
        ['work', 'succeeded', 'the client is open'],
        ['save', 'succeeded', 'onModuleDestroy'],
        ['save', 'succeeded', 'beforeApplicationShutdown'],
        ['save', 'succeeded', 'onApplicationShutdown'],
      ]);
    },
  );
});

describe('while an application stops', () => {
  it('nothing is begun but what running work needs, and what is left by a hook is interrupted [C51]', async () => {
    @Injectable()
    class Careless {
      constructor(private readonly activities: ActivityService) {}
      left: Promise<unknown> | undefined;
      onModuleDestroy(): void {
        this.left = this.activities.run({ type: 'left' }, ({ sleep }) => sleep(60_000));
        this.left.catch(() => undefined);
      }
    }
    const { app, activities, probe, get } = await trackedApp(
      { providers: [Careless] },
      { activity: { shutdownGrace: '20s' } },
    );
    const settled: string[] = [];
    activities.on(({ name, activity }) => {
      if (name === 'settled') settled.push(`${activity.type} ${activity.status}`);
    });
    const end = deferred();
    const work = activities.run({ type: 'work' }, async ({ run }) => {
      await end.promise;
      await run({ type: 'child' }, () => undefined);
    });
    await probe.started('work');
    const closing = app.close();
    if (!activities.shutdown.aborted) {
      await new Promise((resolve) => activities.shutdown.addEventListener('abort', resolve, { once: true }));
    }
    await expect(activities.run({ type: 'new' }, () => 1)).rejects.toMatchObject({ code: 'ACTIVITY_SHUT_DOWN' });
    end.resolve();
    await work;
    await closing;
    await expect(get(Careless).left).rejects.toMatchObject({ abortReason: 'shutdown' });
    expect(settled).toEqual(['child succeeded', 'work succeeded', 'left interrupted']);
  });
});
