import { openAsBlob, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import type { ActivityProblem } from 'nestjs-activity/admin';
import { DemoClient } from './support/demo-client.js';
import { DemoProcess, repository, stopDemos } from './support/demo-process.js';
import { until } from './support/until.js';

const HEADER = 'email,name,company,joined\n';

let demo: DemoProcess;
let client: DemoClient;

async function contacts(like = '%'): Promise<{ email: string; name: string }[]> {
  const dataSource = new DataSource({ type: 'better-sqlite3', database: demo.database, readonly: true });
  await dataSource.initialize();
  try {
    return await dataSource.query('SELECT * FROM contacts WHERE email LIKE ? ORDER BY email', [like]);
  } finally {
    await dataSource.destroy();
  }
}

async function warningsOf(id: string): Promise<string[]> {
  return (await client.messages(id)).filter(({ level }) => level === 'warn').map(({ text }) => text);
}

async function newest(): Promise<string> {
  const [row] = await client.activities('type=contacts.import&limit=1');
  return row!.id;
}

beforeAll(async () => {
  demo = await DemoProcess.start();
  client = new DemoClient(demo.url);
});

afterAll(stopDemos);

describe('POST /imports', () => {
  it('takes the sample row by row, with a warning for each that is wrong', async () => {
    const sample = await openAsBlob(join(repository, 'apps/demo/samples/contacts.csv'));
    const { status, body } = await client.upload(sample);
    expect({ status, body }).toEqual({ status: 200, body: { rows: 500, imported: 493, skipped: 7 } });
    expect(await contacts()).toHaveLength(493);
    const row = await client.activity(await newest());
    expect(row).toMatchObject({
      status: 'succeeded',
      resource: { type: 'file', id: 'contacts.csv' },
      warningCount: 7,
      progress: { percent: 100, current: sample.size, total: sample.size, unit: 'bytes' },
      result: body,
    });
    const lines = (await warningsOf(row.id)).map((text) => Number(/^line (\d+): /.exec(text)![1]));
    expect(lines).toEqual(lines.toSorted((a, b) => a - b));
  });

  it('says what is wrong with a row, and takes the last of two with one address', async () => {
    await client.upload(
      '\uFEFF' +
        HEADER +
        'one@odd.example,"Ann, the first",,2024-05-31\n' +
        'two@odd.example,,Acme,2024-05-31\n' +
        'nobody,Bob,Acme,2024-05-31\n' +
        'three@odd.example,Cleo,Acme,2023-02-30\n' +
        'four@odd.example,Dan\n' +
        '\n' +
        'ONE@odd.example,Ann the second,Acme,2024-06-01\n' +
        'five@odd.example,"Eve,Acme,2024-06-01\n',
      'wïth ünïcode.csv',
    );
    const row = await client.activity(await newest());
    expect(row.resource).toMatchObject({ id: 'wïth ünïcode.csv' });
    expect(await warningsOf(row.id)).toEqual([
      'line 3: the name is missing',
      'line 4: "nobody" is no e-mail address',
      'line 5: "2023-02-30" is no day such as 2024-05-31',
      'line 6: 2 columns instead of 4',
      'line 9: a quote is opened, and never closed',
    ]);
    expect(await contacts('%@odd.example')).toEqual([
      { email: 'one@odd.example', name: 'Ann the second', company: 'Acme', joined: '2024-06-01' },
    ]);
  });

  it('a cancel stops it mid-file: what is written stays and is counted, in whole batches', async () => {
    const rows = Array.from({ length: 200_000 }, (_, index) => `${index}@big.example,Name ${index},Acme,2024-05-31\n`);
    const call = client.upload<ActivityProblem>(HEADER + rows.join(''), 'big.csv');
    const { id } = await client.running('contacts.import', ({ progress }) => (progress.current ?? 0) > 0);
    await client.cancel(id, 'wrong file');
    expect(await call).toMatchObject({ status: 409, body: { code: 'ACTIVITY_CANCELLED' } });
    const row = await client.activity(id);
    expect(row).toMatchObject({ status: 'cancelled', reason: 'user', cancel: { reason: 'wrong file' } });
    const imported = row.metadata.imported as number;
    expect(imported).toBeGreaterThan(0);
    expect(imported).toBeLessThan(rows.length);
    expect(imported % 200).toBe(0);
    expect(await contacts('%@big.example')).toHaveLength(imported);
    expect(row.latestMessage).toBe(`${imported.toLocaleString('en')} rows imported, 0 skipped`);
  });

  it('without a file is a 400 that says how, and leaves no row', async () => {
    const before = await newest();
    const form = new FormData();
    form.set('note', 'no file');
    for (const body of [form, {}]) {
      const answer = await client.post<{ message: string }>('/imports', body);
      expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('curl -F file=@') } });
    }
    expect(await newest()).toBe(before);
  });

  it.each([
    ['an empty file', '', 'the file is empty'],
    ['another header', 'a,b\n1,2\n', 'it is "a,b"'],
    ['no CSV at all', '\u0089PNG\r\n\u001A\n', 'it is "\u0089PNG"'],
  ])('%s has failed, and the caller reads why', async (_what, content, why) => {
    const answer = await client.upload<{ message: string }>(content);
    const message = `The first line must name the columns email, name, company, joined: ${why}.`;
    expect(answer).toMatchObject({ status: 400, body: { message } });
    expect(await client.activity(await newest())).toMatchObject({ status: 'failed', error: { message } });
  });

  it('leaves no temporary file behind', async () => {
    const left = () => readdirSync(demo.temporary).filter((name) => /^[\da-f]{32}$/.test(name));
    await until('the uploads to be gone', () => left().length === 0 || undefined);
    expect(left()).toEqual([]);
  });
});
