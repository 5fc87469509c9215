// `npm run bench [-- NAME …] [--strict]`: each row is a ratio of two things measured in the same run on this machine.
import { benchHttpOverhead } from './http-overhead.js';
import { benchListAtScale } from './list-at-scale.js';
import { benchBigOutput } from './big-output.js';
import { benchLogLines } from './log-lines.js';
import { benchPruneUnderLoad } from './prune-under-load.js';
import { benchRemoteCancel } from './remote-cancel.js';
import { benchSchema } from './schema.js';
import { benchTrackedCalls } from './tracked-calls.js';
import { benchTrackedLatency } from './tracked-latency.js';

const rows: Record<string, () => Promise<boolean>> = {
  schema: benchSchema,
  'tracked-calls': benchTrackedCalls,
  'tracked-latency': benchTrackedLatency,
  'http-overhead': benchHttpOverhead,
  'log-lines': benchLogLines,
  'list-at-scale': benchListAtScale,
  'prune-under-load': benchPruneUnderLoad,
  'big-output': benchBigOutput,
  'remote-cancel': benchRemoteCancel,
};

const args = process.argv.slice(2);
const names = args.filter((arg) => !arg.startsWith('--'));
const unknown = names.filter((name) => !(name in rows));
if (unknown.length > 0) {
  console.error(`No row is called ${unknown.join(', ')}: ${Object.keys(rows).join(', ')}.`);
  process.exit(1);
}

let allMet = true;
for (const [name, run] of Object.entries(rows)) {
  if (names.length === 0 || names.includes(name)) allMet = (await run()) && allMet;
}
if (args.includes('--strict') && !allMet) process.exitCode = 1;
