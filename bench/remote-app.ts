import { redisBus } from 'nestjs-activity/redis';
import type { DataSourceOptions } from 'typeorm';
import { openBenchApp } from './bench-app.js';

/** How processes hear each other. */
export type RemoteBus = 'postgres' | 'off' | { redis: string };

/** An application on a database that others have, too; resolves when it hears them. */
export async function openRemoteApp({ options, bus }: { options: DataSourceOptions; bus: RemoteBus }) {
  const app = await openBenchApp({ options }, { bus: typeof bus === 'string' ? bus : redisBus({ url: bus.redis }) });
  while (app.activities.stats().bus?.isConnected === false) await new Promise((resolve) => setImmediate(resolve));
  return app;
}
