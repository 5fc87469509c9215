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
  const decisions = await Promise.all([
    decide('POSTGRES', findOrStartPostgres),
    decide('MARIADB', findMariadb),
    decide('REDIS', findRedis),
  ]);
  // Jest shows the titles of skipped tests only when it runs a single suite, so this is said here too.
  for (const absent of decisions) {
    if (absent) process.stderr.write(`${absent}\n`);
  }
}

async function decide(server, find) {
  const { url, absent } = await find();
  process.env[`TEST_${server}_URL`] = url;
  if (absent) process.env[`TEST_${server}_ABSENT`] = absent;
  else delete process.env[`TEST_${server}_ABSENT`];
  return absent;
}
