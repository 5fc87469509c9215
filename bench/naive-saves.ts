import { DataSource, EntitySchema } from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { BenchDatabase } from './bench-database.js';

interface NaiveRow {
  id: string;
  type: string;
  status: string;
  startedAt: Date;
  endedAt: Date | null;
}

const naive = new EntitySchema<NaiveRow>({
  name: 'bench_naive',
  columns: {
    id: { type: 'varchar', length: 36, primary: true },
    type: { type: 'varchar', length: 128 },
    status: { type: 'varchar', length: 16 },
    startedAt: { type: Date },
    endedAt: { type: Date, nullable: true },
  },
});

/** What many write first: an entity, saved at the start and again at the end. */
export async function openNaiveSaves({ options }: BenchDatabase) {
  const dataSource = await new DataSource({ ...options, entities: [naive], synchronize: true }).initialize();
  const repository = dataSource.getRepository(naive);
  return {
    async save(): Promise<void> {
      const row = { id: uuid(), type: 'bench.nothing', status: 'running', startedAt: new Date(), endedAt: null };
      await repository.save(row);
      await repository.save({ ...row, status: 'succeeded', endedAt: new Date() });
    },
    count: () => repository.countBy({ status: 'succeeded' }),
    close: () => dataSource.destroy(),
  };
}
