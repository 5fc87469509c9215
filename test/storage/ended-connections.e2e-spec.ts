import { afterEach, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { createDatabase } from '../../libs/activity/src/storage/create-database.js';
import { postgresNotifications } from '../../libs/activity/src/storage/postgres-notifications.js';
import { describePostgres } from '../support/databases.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { closeStores, openStore } from './open-stores.js';

/** A connection is ready for its first statement: the last that the server says of its beginning. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1');
const FIELDS = 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0';
const TERMINATED = Buffer.concat([
  Buffer.from('E'),
  Buffer.from(Uint32Array.of(4 + FIELDS.length).buffer).swap32(),
  Buffer.from(FIELDS, 'latin1'),
]);

afterEach(closeStores);

describePostgres('connections that are ended', (database) => {
  it('[C88] in the very moment in which they are made crash nothing, and what was to be written is', async () => {
    const direct = (await database.create(import.meta.url)).options as DataSourceOptions & {
      host: string;
      port: number;
    };
    let isEnding = false;
    const proxy = await tcpProxy(direct, () => {
      let isNew = true;
      return (chunk) => {
        const isReady = isNew && chunk.includes(READY);
        if (isReady) isNew = false;
        return isReady && isEnding ? Buffer.concat([chunk, TERMINATED]) : chunk;
      };
    });
    const { store, activity } = await openStore({
      ...direct,
      host: '127.0.0.1',
      port: proxy.port,
    } as DataSourceOptions);
    isEnding = true;
    proxy.cut();
    proxy.accept();
    const row = activity();
    const written = store.insert(row);
    while (!store.isAway) await new Promise((resolve) => setImmediate(resolve));
    isEnding = false;
    await written;
    expect(await store.get(row.id)).toMatchObject({ id: row.id });
    await closeStores();
    await proxy.close();
  });

  it('are made again with all that the pool has, the password too', async () => {
    const { options } = await database.create(import.meta.url);
    const under = createDatabase({ ...options, password: 'secret' } as DataSourceOptions, '', () => undefined);
    await under.open();
    expect(postgresNotifications(under)!.client()).toMatchObject({ password: 'secret', pipeline: false });
    await under.close();
  });
});
