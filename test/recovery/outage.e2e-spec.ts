import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { describeWithOwnMariadb } from '../durability/processes/describe-own-mariadb.js';
import { ownMariadb, ownPostgres, type OwnServer } from '../durability/processes/own-servers.js';
import { describeEachDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { ownersTable, type OwnersTable } from './owners-table.js';
import { ReplicaProcess } from './processes/replica-process.js';
import { weakLink } from './processes/weak-link.js';

const LEASE_MS = 2_000;
const activity = { lease: LEASE_MS, cancelPoll: 300, shutdownGrace: '5s' } as const;
const patience = { patienceMs: 30_000 };
const interrupted = { status: 'interrupted', reason: 'owner_lost' };

let replicas: ReplicaProcess[] = [];
const replicaOn = (options: DataSourceOptions) => {
  const replica = new ReplicaProcess({ options, activity });
  replicas.push(replica);
  return replica;
};

afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.kill()));
  replicas = [];
  await closeApps();
});

/** Until all that are there have been renewed for as long as it takes to be taken for dead. */
async function untilALeaseLater(owners: OwnersTable, ids: string[]): Promise<void> {
  for (const id of ids) {
    const { renewedAt } = await owners.row(id);
    await eventually(
      () => owners.row(id),
      (later) => later.renewedAt > renewedAt + 1.5 * LEASE_MS,
      patience,
    );
  }
}

const NONE_INTERRUPTED = {
  lost: 'owner_lost',
  meanwhile: ['running', 'running'],
  own: false,
  theirs: { error: null, status: 'succeeded' },
  warnings: [],
};

describe('a database that is away for longer than the leases', () => {
  /** What has become of three processes: this one, one that lives, and one that dies while the database is away. */
  const sitOut = async (server: OwnServer) => {
    const { options } = server;
    const here = await trackedApp({}, { database: options, activity });
    let owners = await ownersTable(options);
    try {
      const [there, dying] = [replicaOn(options), replicaOn(options)];
      const [theirs, lost] = [await there.start({ work: 'wait' }), await dying.start({ work: 'wait' })];
      const work = here.activities.runInBackground({ type: 'own' }, (own) => own.sleep(600_000));
      const own = await here.probe.started('own');
      const living = [own.ownerId, (await here.probe.row(theirs[0]!)).ownerId];
      await owners.close();

      await server.crash();
      await delay(LEASE_MS);
      await dying.kill();
      await delay(1.5 * LEASE_MS);
      await server.start();

      owners = await ownersTable(options);
      await eventually(
        () => here.probe.row(lost[0]!),
        ({ endedAt }) => endedAt !== null,
        patience,
      );
      await untilALeaseLater(owners, living);
      const meanwhile = await Promise.all([own.id, theirs[0]!].map((id) => here.probe.row(id)));
      there.letGo();
      const { error } = await there.word('ended', ({ id }) => id === theirs[0]);
      const outcome = {
        lost: (await here.probe.row(lost[0]!)).reason,
        meanwhile: meanwhile.map(({ status }) => status),
        own: (await work).signal.aborted,
        theirs: { error, status: (await here.probe.row(theirs[0]!)).status },
        warnings: [...here.log.warnings('taken to be dead'), ...there.warnings('taken to be dead')],
      };
      await closeApps();
      return outcome;
    } finally {
      await owners.close();
      await server.remove();
    }
  };

  it('interrupts no work, but for that of a process that has died meanwhile, on PostgreSQL', async () => {
    expect(await sitOut(await ownPostgres())).toEqual(NONE_INTERRUPTED);
  }, 120_000);

  describeWithOwnMariadb(() => {
    it('interrupts no work, but for that of a process that has died meanwhile, on MariaDB', async () => {
      expect(await sitOut(await ownMariadb())).toEqual(NONE_INTERRUPTED);
    }, 120_000);
  });
});

describeEachDatabase('a process that alone is cut off', (database) => {
  if (database.kind === 'sqlite') {
    it('is none here: all processes have the file, or none has', async () => {
      const { options } = await database.create(import.meta.url);
      const { activities } = await trackedApp({}, { database: options });
      await expect(activities.run({ type: 'own' }, () => 'done')).resolves.toBe('done');
    });
    return;
  }

  it.each(['cut', 'freeze'] as const)(
    'from its database (%s) goes on with its work, and stops when it learns that others have taken it [F55] [C102]',
    async (how) => {
      const { options } = await database.create(import.meta.url);
      const link = await weakLink(options);
      const here = await trackedApp({}, { database: options, activity });
      const far = replicaOn(link.options);
      const [id] = await far.start({ work: 'wait' });
      await eventually(
        () => here.probe.lines(id!),
        (lines) => lines.includes('begun'),
      );
      link[how]();
      await eventually(
        () => here.probe.row(id!),
        ({ endedAt }) => endedAt !== null,
        patience,
      );
      const ended = await here.probe.row(id!);
      expect(ended).toMatchObject(interrupted);
      expect(far.aborted()).toEqual([]);
      link.mend();
      expect(await far.word('aborted')).toMatchObject({ id, reason: 'owner_lost' });
      // It is believed again.
      const [next] = await far.start({ work: 'wait' });
      far.letGo();
      await far.word('ended', (word) => word.id === next);
      expect(await here.probe.row(next!)).toMatchObject({ status: 'succeeded' });
      expect(await here.probe.row(id!)).toEqual(ended);
      await far.kill();
      await link.close();
    },
    90_000,
  );
});
