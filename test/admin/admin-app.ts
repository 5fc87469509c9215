import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  ActivityModule,
  ActivityService,
  type Activity,
  type ActivityContext,
  type ActivityOptions,
} from 'nestjs-activity';
import { ActivityAdminModule, type ActivityAdminOptions } from 'nestjs-activity/admin';
import request from 'supertest';
import type { DataSourceOptions } from 'typeorm';
import { ActivityProbe } from '../support/activity-probe.js';
import type { AdapterUnderTest } from '../support/adapters.js';
import { deferred } from '../support/deferred.js';
import { KeptLog } from '../support/tracked-app.js';

export interface AdminApp {
  app: INestApplication;
  activities: ActivityService;
  probe: ActivityProbe;
  log: KeptLog;
  url: string;
  /** A client of the app; addresses are relative to it. */
  http: ReturnType<typeof request>;
}

export interface AdminAppOptions extends ModuleMetadata {
  admin?: ActivityAdminOptions;
  database?: DataSourceOptions;
  configure?: (app: INestApplication) => void;
}

/** A listening application with the tracker and its admin API, public unless the test says otherwise. */
export async function adminApp(
  adapter: AdapterUnderTest,
  { admin = { public: true }, database, configure, imports = [], ...metadata }: AdminAppOptions = {},
): Promise<AdminApp> {
  const log = new KeptLog();
  const { app, url } = await adapter.start(
    {
      ...metadata,
      imports: [
        TypeOrmModule.forRoot(database ?? { type: 'better-sqlite3', database: ':memory:' }),
        ActivityModule.forRoot({ shutdownGrace: 50 }),
        ActivityAdminModule.forRoot(admin),
        ...imports,
      ],
    },
    {
      configure: (started) => {
        started.useLogger(log);
        configure?.(started);
      },
    },
  );
  const activities = app.get(ActivityService);
  return { app, activities, probe: new ActivityProbe(activities), log, url, http: request(url) };
}

/** An activity that has ended as `succeeded`. */
export async function ended(activities: ActivityService, options: ActivityOptions): Promise<string> {
  return activities.run(options, ({ id }) => id);
}

/** An activity that has ended as `failed`. */
export async function failed(activities: ActivityService, options: ActivityOptions, error: unknown): Promise<string> {
  const { id, done } = await activities.runInBackground(options, () => Promise.reject(error as Error));
  await done.catch(() => undefined);
  return id;
}

/** An activity that runs until it is cancelled. */
export async function running(activities: ActivityService, options: ActivityOptions): Promise<string> {
  const begun = deferred<string>();
  await activities.runInBackground(options, (activity) => {
    begun.resolve(activity.id);
    return untilAborted(activity);
  });
  return begun.promise;
}

function untilAborted({ signal }: ActivityContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

export const idsOf = ({ body }: { body: { items: Pick<Activity, 'id'>[] } }): string[] =>
  body.items.map(({ id }) => id);
