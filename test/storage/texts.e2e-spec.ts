import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Json, JsonObject } from '../../libs/activity/src/model/activity.js';
import { describeEachDatabase } from '../support/databases.js';
import { closeStores, openStore, type OpenStore } from './open-stores.js';

describeEachDatabase('what is stored', (database) => {
  let options: DataSourceOptions;
  let under: OpenStore;

  beforeAll(async () => {
    ({ options } = await database.create(import.meta.url));
    if (database.kind === 'mariadb')
      await query(options, `ALTER DATABASE \`${String(options.database)}\` CHARACTER SET utf8mb3`);
    under = await openStore(options);
  });
  afterAll(closeStores);

  it('has emoji, NUL and half characters as text that every database takes', async () => {
    const { store, run, line, end } = under;
    const { id } = await run({ title: '🚀 a\0b \ud83d!', actor: { id: 'u\0', name: '\udc00' } });
    await store.append(line(id, 1, { text: '🚀\0\ud800', step: 'é\0' }));
    await store.settle(end(id, { status: 'failed', reason: 'error', error: { name: 'E\0', message: 'bad \udfff' } }));
    expect(await store.get(id)).toMatchObject({
      title: '🚀 a\ufffdb \ufffd!',
      actor: { id: 'u\ufffd', name: '\ufffd' },
      error: { name: 'E\ufffd', message: 'bad \ufffd' },
    });
    expect(await store.messages(id, {})).toMatchObject([{ text: '🚀\ufffd\ufffd', step: 'é\ufffd' }]);
  });

  it('is cut by our rule, never by an error, whatever the character set of the database [C78]', async () => {
    const { store, activity, line, end, owner } = under;
    const long = (length: number) => '🚀'.repeat(length);
    const given = activity({
      scope: long(65),
      type: long(300),
      title: long(300),
      resource: { type: long(300), id: long(300), name: long(2_000) },
      actor: { id: long(300), name: long(300) },
      batchId: long(65),
      parentId: long(37),
      origin: { kind: long(300), label: long(300), requestId: long(300), traceparent: long(300) },
      limitKey: long(300),
    });
    await store.insert(given);
    await store.update(given.id, owner, {
      step: long(300),
      latestMessage: long(600),
      progress: { percent: Number.NaN, current: Infinity, total: null, unit: long(300), perSecond: Number.NaN },
    });
    await store.append(line(given.id, 1, { text: long(70_000), step: long(300) }));
    await store.settle(
      end(given.id, {
        status: 'cancelled',
        reason: 'user',
        error: { name: long(300), message: long(70_000), code: long(300), stack: long(70_000), causes: nested(20) },
        cancel: { requestedAt: new Date(), by: { id: long(300), name: long(300) }, reason: long(3_000) },
      }),
    );
    const stored = await store.get(given.id);
    const cut = (length: number) => `${long(length - 1)}…`;
    expect(stored).toMatchObject({
      scope: cut(64),
      type: cut(128),
      title: cut(255),
      resource: { type: cut(128), id: cut(191), name: cut(255) },
      actor: { id: cut(191), name: cut(255) },
      batchId: cut(64),
      parentId: cut(36),
      step: cut(255),
      latestMessage: cut(500),
      progress: { percent: null, current: null, total: null, unit: cut(32), perSecond: null },
      cancel: { by: { id: cut(191) }, reason: cut(2_000) },
    });
    expect(stored?.error?.message).toBe(cut(16_384));
    expect((await store.messages(given.id, {}))[0]?.text).toBe(cut(65_536));
  });

  it('fits into its indexes, however long what is filtered by may be [C79]', async () => {
    const { store, run } = under;
    // Of four bytes each, and no two alike: nothing of it can be packed.
    const long = (length: number) =>
      String.fromCodePoint(...Array.from({ length }, (_, n) => 0x1f300 + ((n * 7_919) % 700)));
    const rows = await Promise.all(
      [768, 4_000].map((length) =>
        run(
          {
            scope: long(length),
            type: long(length),
            resource: { type: long(length), id: `${length} ${long(length)}` },
            actor: { id: long(length) },
            batchId: long(length),
          },
          {},
        ),
      ),
    );
    for (const { id, resource } of rows) {
      const { items } = await store.list({ resourceId: resource!.id, resourceType: resource!.type });
      expect(items.map((item) => item.id)).toEqual([id]);
      expect(Array.from(items[0]!.resource!.id)).toHaveLength(191);
    }
    for (const filter of [
      { scope: long(768) },
      { type: long(4_000) },
      { actorId: long(768) },
      { batchId: long(4_000) },
    ]) {
      expect((await store.list(filter)).items).toHaveLength(2);
    }
    if (database.kind !== 'mariadb') return;
    // What any row format of MariaDB and MySQL takes: 767 bytes of a column, 3,072 of an index.
    const indexed = await query<{ name: string; bytes: string; widest: string }>(
      options,
      `SELECT s.INDEX_NAME AS name, SUM(COALESCE(c.CHARACTER_OCTET_LENGTH, 8)) AS bytes,
         MAX(COALESCE(c.CHARACTER_OCTET_LENGTH, 8)) AS widest
       FROM information_schema.STATISTICS s
       JOIN information_schema.COLUMNS c USING (TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME)
       WHERE s.TABLE_SCHEMA = DATABASE() AND s.TABLE_NAME LIKE 'activit%' GROUP BY s.TABLE_NAME, s.INDEX_NAME`,
    );
    expect(indexed.length).toBeGreaterThan(8);
    expect(indexed.filter(({ bytes, widest }) => Number(bytes) > 3_072 || Number(widest) > 767)).toEqual([]);
  });

  it('has JSON as plain data, within bounds, whatever was given', async () => {
    const { store, run } = under;
    const cycle: Record<string, unknown> = {
      big: 10n,
      at: new Date(0),
      fn: () => 1,
      nan: Number.NaN,
      text: 'a\0\ud800',
    };
    cycle.self = cycle;
    const given = JSON.parse('{"__proto__":{"p":1},"constructor":{"prototype":{"p":1}}}') as JsonObject;
    const { id } = await run({ metadata: given }, { result: cycle as unknown as Json });
    const stored = await store.get(id);
    expect(JSON.stringify(stored?.metadata)).toBe('{"__proto__":{"p":1},"constructor":{"prototype":{"p":1}}}');
    expect(({} as { p?: number }).p).toBeUndefined();
    expect(stored?.result).toEqual({
      big: '10',
      at: '1970-01-01T00:00:00.000Z',
      nan: null,
      text: 'a\ufffd\ufffd',
      self: '[circular]',
    });
    const huge = await run({ metadata: { text: 'x'.repeat(300_000) } }, { result: 'x'.repeat(70_000) });
    expect(await store.get(huge.id)).toMatchObject({
      metadata: { truncated: 'more than 262144 bytes of JSON' },
      result: { truncated: 'more than 65536 bytes of JSON' },
    });
  });

  it('has numbers as numbers, beyond 32 bits too', async () => {
    const { store, run, line, owner } = under;
    const { id } = await run();
    const seqs = [9, 10, 2 ** 31 + 1, 2 ** 40];
    await Promise.all(seqs.map((seq) => store.append(line(id, seq))));
    await store.update(id, owner, {
      messageCount: 2 ** 40,
      progress: { percent: 33.333333333, current: 2 ** 33, total: 0.5, unit: null, perSecond: 1e-7 },
    });
    expect(await store.get(id)).toMatchObject({
      messageCount: 2 ** 40,
      progress: { percent: 33.333333333, current: 2 ** 33, total: 0.5, perSecond: 1e-7 },
    });
    expect((await store.messages(id, { after: 9 })).map(({ seq }) => seq)).toEqual([10, 2 ** 31 + 1, 2 ** 40]);
  });

  it('goes in more than one packet takes [C78]', async () => {
    const { store, run, line } = under;
    const { id } = await run();
    // Each quote is two bytes on the wire: 18 MB, where MariaDB takes 16 in one packet.
    const lines = database.kind === 'mariadb' ? 150 : 20;
    const text = "'".repeat(60_000);
    await Promise.all(Array.from({ length: lines }, (_, index) => store.append(line(id, index + 1, { text }))));
    const messages = await store.messages(id, { limit: 1_000 });
    expect(messages).toHaveLength(lines);
    expect(messages.every((message) => message.text === text)).toBe(true);
  });
});

function nested(depth: number): { name: string; message: string; causes?: ReturnType<typeof nested> }[] {
  const error = { name: 'E', message: `cause ${depth}` };
  return [depth === 0 ? error : { ...error, causes: nested(depth - 1) }];
}

async function query<T>(options: DataSourceOptions, sql: string): Promise<T[]> {
  const dataSource = await new DataSource(options).initialize();
  try {
    return await dataSource.query<T[]>(sql);
  } finally {
    await dataSource.destroy();
  }
}
