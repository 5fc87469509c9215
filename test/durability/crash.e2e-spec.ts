import { expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { describeEachDatabase } from '../support/databases.js';
import { keptPromises } from './processes/kept-promises.js';
import { seededRandom } from './processes/seeded-random.js';
import { WorkerProcess } from './processes/worker-process.js';

/** `npm run durability -- --rounds 200 --seed 7`; every round compiles and starts a process. */
const rounds = Number(process.env.DURABILITY_ROUNDS ?? 3);
const seed = Number(process.env.DURABILITY_SEED ?? Date.now() % 1_000_000);
const LONGEST_LIFE_MS = 600;

describeEachDatabase(`a process of 64 callers that is killed (${rounds} rounds, seed ${seed})`, (database) => {
  it(
    'leaves behind every start, line and end whose promise had resolved, no line twice, and no gap',
    async () => {
      const random = seededRandom(seed);
      const { options } = await database.create(import.meta.url);
      const reader = await new DataSource({ ...options, entities: [] }).initialize();
      const total = { starts: 0, lines: 0, ends: 0 };
      // The next ones start while this one runs: starting takes far longer than living.
      const start = () => new WorkerProcess({ options, callers: 64 });
      const next = Array.from({ length: Math.min(2, rounds) }, start);
      for (let round = 0; round < rounds; round++) {
        const worker = next.shift()!;
        await worker.begin();
        await new Promise((resolve) => setTimeout(resolve, random() * LONGEST_LIFE_MS));
        await worker.kill();
        if (round + 2 < rounds) next.push(start());
        const { broken, ...kept } = await keptPromises(worker, reader);
        expect({ round, broken }).toEqual({ round, broken: [] });
        for (const key of ['starts', 'lines', 'ends'] as const) total[key] += kept[key];
        await reader.query('DELETE FROM activity_messages');
        await reader.query('DELETE FROM activities');
      }
      expect(total.starts).toBeGreaterThan(0);
      if (process.env.DURABILITY_ROUNDS) {
        process.stdout.write(`${database.name}: ${rounds} rounds, seed ${seed}: ${JSON.stringify(total)}\n`);
      }
      await reader.destroy();
    },
    30_000 + rounds * 20_000,
  );
});
