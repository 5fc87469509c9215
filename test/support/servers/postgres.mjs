import { rmSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { absence } from './absence.mjs';
import { loadEmbeddedPostgres, runsAsRoot } from './embedded-postgres.mjs';

const DEFAULT_URL = 'postgres://postgres@127.0.0.1:5432/test';

/**
 * Uses the server at `TEST_POSTGRES_URL` where one answers; starts one from npm's binaries where none does, so that a
 * machine with nothing but Node runs these suites too.
 * @returns {Promise<{ url: string, absent?: string }>}
 */
export async function findOrStartPostgres() {
  const url = process.env.TEST_POSTGRES_URL || DEFAULT_URL;
  if (await answers(url)) return { url };
  try {
    return { url: await start() };
  } catch (error) {
    process.stderr.write(`embedded-postgres did not start: ${error?.stack ?? error}\n`);
    return { url, absent: absence('PostgreSQL', url, 'TEST_POSTGRES_URL') };
  }
}

export async function stopStartedPostgres() {
  const started = globalThis.startedPostgres;
  if (!started) return;
  globalThis.startedPostgres = undefined;
  process.off('exit', started.killAtExit);
  await started.server.stop();
  await rm(started.directory, { recursive: true, force: true });
}

async function answers(url) {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** @returns the address of a new server, whose data go when it stops */
async function start() {
  const directory = await mkdtemp(join(tmpdir(), 'activity-postgres-'));
  await chmod(directory, 0o755);
  const EmbeddedPostgres = await loadEmbeddedPostgres(directory);
  const log = [];
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: runsAsRoot,
    initdbFlags: ['--encoding=UTF8', '--no-sync'],
    // The data are thrown away: nothing here has to survive a power cut.
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-c', 'max_connections=300'],
    onLog: (line) => log.push(line),
    onError: (error) => log.push(String(error)),
  });
  try {
    await server.initialise();
    await server.start();
    await server.createDatabase('test');
  } catch (error) {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
    // It rejects with nothing when the server ends at once; the log then says why.
    throw new Error(log.join('') || 'The server said nothing.', { cause: error });
  }
  // `--bail` or a signal ends Jest without the teardown; a server must not outlive the run, nor must its data.
  const killAtExit = () => {
    server.process?.kill('SIGQUIT');
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', killAtExit);
  globalThis.startedPostgres = { server, directory, killAtExit };
  return `postgres://postgres:postgres@127.0.0.1:${port}/test`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
