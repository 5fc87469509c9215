// `npm run durability -- --rounds 200 --outage 20 [--database sqlite|postgres|mariadb] [--seed N]`: the suites of
// test/durability, for longer than `npm test` runs them. Says the seed, with which the same moments are chosen again.
import { parseArgs } from 'node:util';
import { jest } from './jest.mjs';

const NAMES = { sqlite: 'SQLite', postgres: 'PostgreSQL', mariadb: 'MariaDB' };
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    outage: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    database: { type: 'string' },
    suite: { type: 'string', default: 'test/durability' },
  },
});
if (values.database !== undefined && !(values.database in NAMES)) {
  throw new Error(`--database is one of ${Object.keys(NAMES).join(', ')}`);
}
process.env.DURABILITY_ROUNDS = values.rounds;
process.env.DURABILITY_OUTAGE_S = values.outage;
process.env.DURABILITY_SEED = values.seed;
process.stdout.write(`seed ${values.seed}\n`);
const only = values.database === undefined ? [] : ['-t', `on ${NAMES[values.database]}`];
process.exitCode = await jest(['--runInBand', values.suite, ...only]);
