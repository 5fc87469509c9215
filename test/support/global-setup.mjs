import { findMariadb } from './servers/mariadb.mjs';
import { findOrStartPostgres } from './servers/postgres.mjs';
import { findRedis } from './servers/redis.mjs';

/**
 * Decides once per run which servers the suites use, before any worker starts.
 *
 * The answers travel to the workers in the environment: `TEST_<SERVER>_URL` is where the server is, and
 * `TEST_<SERVER>_ABSENT`, where set, says why there is none.
 */
export default async function decideOnServers() {
  await Promise.all(
    Object.entries({
      POSTGRES: findOrStartPostgres,
      MARIADB: findMariadb,
      REDIS: findRedis,
    }).map(async ([server, find]) => {
      const { url, absent } = await find();
      process.env[`TEST_${server}_URL`] = url;
      if (absent) process.env[`TEST_${server}_ABSENT`] = absent;
      else delete process.env[`TEST_${server}_ABSENT`];
    }),
  );
}
