import type { DataSource } from 'typeorm';
import type { WorkerProcess } from './worker-process.js';

export interface Kept {
  starts: number;
  lines: number;
  ends: number;
  /** Sentences about what was promised and is not there, or is there twice; empty when all is well. */
  broken: string[];
}

/** Compares what a worker was promised with what its database holds. */
export async function keptPromises(worker: WorkerProcess, database: DataSource): Promise<Kept> {
  const rows = await database.query<{ id: string; status: string; version: unknown }[]>(
    'SELECT id, status, version FROM activities',
  );
  const messages = await database.query<{ activity_id: string; seq: unknown }[]>(
    'SELECT activity_id, seq FROM activity_messages ORDER BY activity_id, seq',
  );
  const statuses = new Map(rows.map(({ id, status }) => [id, status]));
  const seqs = new Map<string, number[]>();
  for (const { activity_id: id, seq } of messages) seqs.set(id, [...(seqs.get(id) ?? []), Number(seq)]);

  const broken: string[] = [];
  for (const id of worker.started) if (!statuses.has(id)) broken.push(`the start of ${id} is gone`);
  for (const id of worker.ended) {
    if (statuses.get(id) !== 'succeeded') broken.push(`the end of ${id} is gone: it is ${statuses.get(id)}`);
  }
  for (const [id, last] of worker.lines) {
    if ((seqs.get(id)?.at(-1) ?? 0) < last) broken.push(`line ${last} of ${id} is gone`);
  }
  for (const [id, found] of seqs) {
    if (!statuses.has(id)) broken.push(`lines without an activity: ${id}`);
    if (found.some((seq, place) => seq !== place + 1)) broken.push(`lines of ${id} are ${found.join(', ')}`);
  }
  return { starts: worker.started.size, lines: messages.length, ends: worker.ended.size, broken };
}
