import type { DataSource, DataSourceOptions } from 'typeorm';
import {
  resolveModuleOptions,
  type ActivityModuleOptions,
} from '../../libs/activity/src/config/activity-module.options.js';
import type {
  ActivityStore,
  NewActivity,
  NewLine,
  NewLines,
  Ownership,
  Settlement,
} from '../../libs/activity/src/storage/activity-store.js';
import { newActivityId } from '../../libs/activity/src/storage/activity-id.js';
import { SqlActivityStore } from '../../libs/activity/src/storage/sql-activity-store.js';

/** A store under test, with what it has logged and short ways to make rows that are its own. */
export interface OpenStore {
  store: ActivityStore;
  owner: Ownership;
  /** `warn: …`, `debug: …` */
  log: string[];
  activity(values?: Partial<NewActivity>): NewActivity;
  line(activityId: string, seq: number, values?: Partial<NewLine & Ownership>): NewLines;
  end(id: string, values?: Partial<Settlement>): Settlement;
  /** Starts an activity, and ends it where `end` says so. */
  run(values?: Partial<NewActivity>, end?: Partial<Settlement>): Promise<NewActivity>;
}

const opened: ActivityStore[] = [];

/** A store beside an app whose data source has these options; closed by `closeStores`. */
export async function openStore(options: DataSourceOptions, settings: ActivityModuleOptions = {}): Promise<OpenStore> {
  const under = unopenedStore(options, settings);
  await under.store.open();
  return under;
}

export function unopenedStore(options: DataSourceOptions, settings: ActivityModuleOptions = {}): OpenStore {
  const log: string[] = [];
  const logger = {
    warn: (text: string) => log.push(`warn: ${text}`),
    error: (text: string) => log.push(`error: ${text}`),
    debug: (text: string) => log.push(`debug: ${text}`),
  };
  // Only its options are asked for.
  const app = { options } as DataSource;
  const store = new SqlActivityStore(resolveModuleOptions(settings), () => app, logger);
  opened.push(store);
  return { store, log, ...rowsOf(store) };
}

export async function closeStores(): Promise<void> {
  await Promise.all(opened.splice(0).map((store) => store.close(2_000)));
}

export function rowsOf(store: ActivityStore) {
  const owner = { ownerId: store.ownerId, fence: 1 };
  const activity = (values: Partial<NewActivity> = {}): NewActivity => {
    const createdAt = values.createdAt ?? new Date();
    return {
      id: newActivityId(createdAt),
      ...owner,
      scope: 'default',
      type: 'image.pull',
      title: null,
      resource: null,
      actor: null,
      batchId: null,
      parentId: null,
      status: 'running',
      cancellable: true,
      origin: { kind: null, label: null, requestId: null, traceparent: null },
      limitKey: null,
      job: null,
      metadata: {},
      createdAt,
      startedAt: values.status === 'queued' ? null : createdAt,
      ...values,
    };
  };
  const line: OpenStore['line'] = (activityId, seq, { ownerId, fence, ...values } = {}) => ({
    activityId,
    ownerId: ownerId ?? owner.ownerId,
    fence: fence ?? owner.fence,
    lines: [{ seq, at: new Date(), level: 'info', text: `line ${seq}`, source: 'log', step: null, ...values }],
  });
  const end = (id: string, values: Partial<Settlement> = {}): Settlement => ({
    id,
    ...owner,
    status: 'succeeded',
    reason: null,
    endedAt: new Date(),
    error: null,
    changes: {},
    ...values,
  });
  const run = async (values?: Partial<NewActivity>, ending?: Partial<Settlement>): Promise<NewActivity> => {
    const row = activity(values);
    await store.insert(row);
    if (ending) await store.settle(end(row.id, ending));
    return row;
  };
  return { owner, activity, line, end, run };
}
