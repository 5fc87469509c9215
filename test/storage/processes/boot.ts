import { resolveModuleOptions } from '../../../libs/activity/src/config/activity-module.options.js';
import { SqlActivityStore } from '../../../libs/activity/src/storage/sql-activity-store.js';
import { rowsOf } from '../open-stores.js';
import type { BootAnswer, BootOrder } from './boot-processes.js';

/** One replica: opens a store when it is told to, runs an activity and says how that went. */
process.on('message', (order: BootOrder) => {
  void boot(order).then((answer) => process.send!(answer));
});
process.send!('ready');

async function boot({ options }: BootOrder): Promise<BootAnswer> {
  const silent = () => undefined;
  const logger = { warn: silent, error: silent, debug: silent };
  const store = new SqlActivityStore(resolveModuleOptions(), () => ({ options }) as never, logger);
  try {
    await store.open();
    const { id } = await rowsOf(store).run({}, {});
    const stored = await store.get(id);
    return { ok: stored?.status === 'succeeded' };
  } catch (error) {
    return { ok: false, error: String(error) };
  } finally {
    await store.close(1_000);
  }
}
